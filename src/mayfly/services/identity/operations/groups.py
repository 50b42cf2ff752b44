"""Operations on groups and on who is in them."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.identity import statements
from mayfly.services.identity.faults import already_exists, delete_conflict, quota_exceeded
from mayfly.services.identity.model import GROUP_ID_PREFIX, Group, User, folded, new_unique_id
from mayfly.services.identity.operations.owned_policies import check_released
from mayfly.services.identity.operations.users import shown_user
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.records import group_named, user_named
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        AddUserToGroupRequestTypeDef,
        CreateGroupRequestTypeDef,
        DeleteGroupRequestTypeDef,
        GetGroupRequestTypeDef,
        ListGroupsForUserRequestTypeDef,
        ListGroupsRequestTypeDef,
        RemoveUserFromGroupRequestTypeDef,
        UpdateGroupRequestTypeDef,
    )

_GROUPS_PER_USER = 10


class GroupOperations:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateGroup")
    async def create(self, context: RequestContext, params: "CreateGroupRequestTypeDef") -> dict[str, Any]:
        id_, now = new_unique_id(GROUP_ID_PREFIX), self._clock.now()
        group = Group(context.account, params["GroupName"], params.get("Path", "/"), id_, now)

        def insert(tx: Tx) -> None:
            if not tx.run(statements.GROUP_INSERT, {"folded": folded(group.name), **msgspec.structs.asdict(group)}):
                raise already_exists("Group", group.name)

        await self._store.write(insert)
        return {"Group": _shape(group)}

    @operation("GetGroup")
    async def get(self, context: RequestContext, params: "GetGroupRequestTypeDef") -> dict[str, Any]:
        """The group, and a page of its users."""
        page = page_request(params)

        def read(reader: Reader) -> tuple[Group, list[User]]:
            group = group_named(reader, context.account, params["GroupName"])
            bounds = {"group_id": group.id, "after": page.after, "limit": page.limit + 1}
            return group, [User(*row) for row in reader.all(statements.MEMBERS_PAGE, bounds)]

        group, users = await self._store.read(read)
        shown = page_reply("Users", users, page.limit, lambda user: folded(user.name), shown_user)
        return {"Group": _shape(group), **shown}

    @operation("ListGroups")
    async def list(self, context: RequestContext, params: "ListGroupsRequestTypeDef") -> dict[str, Any]:
        page = page_request(params)
        prefix = params.get("PathPrefix", "/")
        bounds = {
            "account": context.account,
            "after": page.after,
            "prefix": prefix,
            "prefix_length": len(prefix),
            "limit": page.limit + 1,
        }
        rows = await self._store.read(lambda reader: reader.all(statements.GROUPS_PAGE, bounds))
        return page_reply("Groups", [Group(*row) for row in rows], page.limit, lambda group: folded(group.name), _shape)

    @operation("UpdateGroup")
    async def update(self, context: RequestContext, params: "UpdateGroupRequestTypeDef") -> dict[str, Any]:
        def write(tx: Tx) -> None:
            group = group_named(tx, context.account, params["GroupName"])
            name, path = params.get("NewGroupName", group.name), params.get("NewPath", group.path)
            other = tx.one(statements.GROUP_BY_FOLDED, {"account": context.account, "folded": folded(name)})
            if other is not None and other[0] != group.id:
                raise already_exists("Group", name)
            tx.run(statements.GROUP_UPDATE, {"id": group.id, "folded": folded(name), "name": name, "path": path})

        await self._store.write(write)
        return {}

    @operation("DeleteGroup")
    async def delete(self, context: RequestContext, params: "DeleteGroupRequestTypeDef") -> dict[str, Any]:
        def remove(tx: Tx) -> None:
            group = group_named(tx, context.account, params["GroupName"])
            if tx.all(statements.MEMBERS_PAGE, {"group_id": group.id, "after": "", "limit": 1}):
                raise delete_conflict("remove users from group")
            check_released(tx, group.id)
            tx.run(statements.GROUP_DELETE, {"id": group.id})

        await self._store.write(remove)
        return {}

    @operation("AddUserToGroup")
    async def add(self, context: RequestContext, params: "AddUserToGroupRequestTypeDef") -> dict[str, Any]:
        """A user who is in the group already is no error."""

        def write(tx: Tx) -> None:
            group = group_named(tx, context.account, params["GroupName"])
            user = user_named(tx, context.account, params["UserName"])
            tx.run(statements.MEMBER_INSERT, {"group_id": group.id, "user_id": user.id})
            bounds = {"user_id": user.id, "after": "", "limit": _GROUPS_PER_USER + 1}
            if len(tx.all(statements.GROUPS_OF_USER_PAGE, bounds)) > _GROUPS_PER_USER:
                raise quota_exceeded("GroupsPerUser", _GROUPS_PER_USER)

        await self._store.write(write)
        return {}

    @operation("RemoveUserFromGroup")
    async def remove(self, context: RequestContext, params: "RemoveUserFromGroupRequestTypeDef") -> dict[str, Any]:
        """A user who is not in the group is no error."""

        def write(tx: Tx) -> None:
            group = group_named(tx, context.account, params["GroupName"])
            user = user_named(tx, context.account, params["UserName"])
            tx.run(statements.MEMBER_DELETE, {"group_id": group.id, "user_id": user.id})

        await self._store.write(write)
        return {}

    @operation("ListGroupsForUser")
    async def of_user(self, context: RequestContext, params: "ListGroupsForUserRequestTypeDef") -> dict[str, Any]:
        page = page_request(params)

        def read(reader: Reader) -> list[Group]:
            user = user_named(reader, context.account, params["UserName"])
            bounds = {"user_id": user.id, "after": page.after, "limit": page.limit + 1}
            return [Group(*row) for row in reader.all(statements.GROUPS_OF_USER_PAGE, bounds)]

        found = await self._store.read(read)
        return page_reply("Groups", found, page.limit, lambda group: folded(group.name), _shape)


def _shape(group: Group) -> dict[str, Any]:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": utc(group.created_at),
    }
