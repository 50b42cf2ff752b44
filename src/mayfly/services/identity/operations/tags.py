"""Operations on the tags of roles, users, policies and instance profiles."""

from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.identity.model import folded
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.records import (
    policy_of_arn,
    profile_named,
    put_tags,
    remove_tags,
    role_named,
    tags_of,
    user_named,
)
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        ListInstanceProfileTagsRequestTypeDef,
        ListPolicyTagsRequestTypeDef,
        ListRoleTagsRequestTypeDef,
        ListUserTagsRequestTypeDef,
        TagInstanceProfileRequestTypeDef,
        TagPolicyRequestTypeDef,
        TagRoleRequestTypeDef,
        TagUserRequestTypeDef,
        UntagInstanceProfileRequestTypeDef,
        UntagPolicyRequestTypeDef,
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

    @operation("TagPolicy")
    async def tag_policy(self, context: RequestContext, params: "TagPolicyRequestTypeDef") -> dict[str, Any]:
        await self._store.write(lambda tx: put_tags(tx, policy_of_arn(tx, params["PolicyArn"]).id, params["Tags"]))
        return {}

    @operation("UntagPolicy")
    async def untag_policy(self, context: RequestContext, params: "UntagPolicyRequestTypeDef") -> dict[str, Any]:
        await self._store.write(
            lambda tx: remove_tags(tx, policy_of_arn(tx, params["PolicyArn"]).id, params["TagKeys"])
        )
        return {}

    @operation("ListPolicyTags")
    async def policy_tags(self, context: RequestContext, params: "ListPolicyTagsRequestTypeDef") -> dict[str, Any]:
        page = page_request(params)

        def read(reader: Reader) -> list[dict[str, str]]:
            return tags_of(reader, policy_of_arn(reader, params["PolicyArn"]).id, page.after, page.limit + 1)

        return page_reply("Tags", await self._store.read(read), page.limit, _sort_key, dict)

    @operation("TagInstanceProfile")
    async def tag_profile(self, context: RequestContext, params: "TagInstanceProfileRequestTypeDef") -> dict[str, Any]:
        name = params["InstanceProfileName"]
        await self._store.write(lambda tx: put_tags(tx, profile_named(tx, context.account, name).id, params["Tags"]))
        return {}

    @operation("UntagInstanceProfile")
    async def untag_profile(
        self, context: RequestContext, params: "UntagInstanceProfileRequestTypeDef"
    ) -> dict[str, Any]:
        name, keys = params["InstanceProfileName"], params["TagKeys"]
        await self._store.write(lambda tx: remove_tags(tx, profile_named(tx, context.account, name).id, keys))
        return {}

    @operation("ListInstanceProfileTags")
    async def profile_tags(
        self, context: RequestContext, params: "ListInstanceProfileTagsRequestTypeDef"
    ) -> dict[str, Any]:
        page = page_request(params)

        def read(reader: Reader) -> list[dict[str, str]]:
            profile = profile_named(reader, context.account, params["InstanceProfileName"])
            return tags_of(reader, profile.id, page.after, page.limit + 1)

        return page_reply("Tags", await self._store.read(read), page.limit, _sort_key, dict)

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
