"""Operations on the tags of roles and users."""

from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.identity.model import folded
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.records import put_tags, remove_tags, role_named, tags_of, user_named
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        ListRoleTagsRequestTypeDef,
        ListUserTagsRequestTypeDef,
        TagRoleRequestTypeDef,
        TagUserRequestTypeDef,
        UntagRoleRequestTypeDef,
        UntagUserRequestTypeDef,
    )


class TagOperations:
    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("TagRole")
    async def tag_role(self, context: RequestContext, params: "TagRoleRequestTypeDef") -> dict[str, Any]:
        await self._store.write(
            lambda tx: put_tags(tx, role_named(tx, context.account, params["RoleName"]).id, params["Tags"])
        )
        return {}

    @operation("UntagRole")
    async def untag_role(self, context: RequestContext, params: "UntagRoleRequestTypeDef") -> dict[str, Any]:
        await self._store.write(
            lambda tx: remove_tags(tx, role_named(tx, context.account, params["RoleName"]).id, params["TagKeys"])
        )
        return {}

    @operation("ListRoleTags")
    async def role_tags(self, context: RequestContext, params: "ListRoleTagsRequestTypeDef") -> dict[str, Any]:
        page = page_request(params)

        def read(reader: Reader) -> list[dict[str, str]]:
            role = role_named(reader, context.account, params["RoleName"])
            return tags_of(reader, role.id, page.after, page.limit + 1)

        return page_reply("Tags", await self._store.read(read), page.limit, _sort_key, dict)

    @operation("TagUser")
    async def tag_user(self, context: RequestContext, params: "TagUserRequestTypeDef") -> dict[str, Any]:
        await self._store.write(
            lambda tx: put_tags(tx, user_named(tx, context.account, params["UserName"]).id, params["Tags"])
        )
        return {}

    @operation("UntagUser")
    async def untag_user(self, context: RequestContext, params: "UntagUserRequestTypeDef") -> dict[str, Any]:
        await self._store.write(
            lambda tx: remove_tags(tx, user_named(tx, context.account, params["UserName"]).id, params["TagKeys"])
        )
        return {}

    @operation("ListUserTags")
    async def user_tags(self, context: RequestContext, params: "ListUserTagsRequestTypeDef") -> dict[str, Any]:
        page = page_request(params)

        def read(reader: Reader) -> list[dict[str, str]]:
            user = user_named(reader, context.account, params["UserName"])
            return tags_of(reader, user.id, page.after, page.limit + 1)

        return page_reply("Tags", await self._store.read(read), page.limit, _sort_key, dict)


def _sort_key(tag: dict[str, str]) -> str:
    return folded(tag["Key"])
