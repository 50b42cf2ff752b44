"""Operations on users and their access keys."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import Principal, RequestContext, operation
from mayfly.services.identity import statements
from mayfly.services.identity.faults import already_exists, delete_conflict, no_such, quota_exceeded, validation
from mayfly.services.identity.model import USER_ID_PREFIX, User, folded, new_unique_id
from mayfly.services.identity.operations.owned_policies import check_released
from mayfly.services.identity.operations.roles import refuse_boundary
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.records import put_tags, tags_of, user_named
from mayfly.services.identity.root_key import new_access_key_id
from mayfly.services.identity.tokens import user_secret
from mayfly.store.api import Reader, Row, Store, Tx

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateAccessKeyRequestTypeDef,
        CreateUserRequestTypeDef,
        DeleteAccessKeyRequestTypeDef,
        DeleteUserRequestTypeDef,
        GetUserRequestTypeDef,
        ListAccessKeysRequestTypeDef,
        ListUsersRequestTypeDef,
        UpdateAccessKeyRequestTypeDef,
        UpdateUserRequestTypeDef,
    )

_KEYS_PER_USER = 2


class UserOperations:
    def __init__(self, store: Store, clock: Clock, changed: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed  # called once another name is durable: keys act under it

    @operation("CreateUser")
    async def create(self, context: RequestContext, params: "CreateUserRequestTypeDef") -> dict[str, Any]:
        refuse_boundary(params)
        user = User(
            context.account,
            params["UserName"],
            params.get("Path", "/"),
            new_unique_id(USER_ID_PREFIX),
            self._clock.now(),
        )
        tags = params.get("Tags", ())

        def insert(tx: Tx) -> None:
            if not tx.run(statements.USER_INSERT, {"folded": folded(user.name), **msgspec.structs.asdict(user)}):
                raise already_exists("User", user.name)
            put_tags(tx, user.id, tags)

        await self._store.write(insert)
        return {"User": shown_user(user) | ({"Tags": list(tags)} if tags else {})}

    @operation("GetUser")
    async def get(self, context: RequestContext, params: "GetUserRequestTypeDef") -> dict[str, Any]:
        name = params.get("UserName")
        if name is None and context.principal.kind == "root":
            # IAM shows the account itself when its root asks who it is.
            return {"User": {"UserId": context.account, "Arn": context.principal.arn, "UserName": "root", "Path": "/",
                             "CreateDate": utc(0)}}  # fmt: skip
        name = name or _own_name(context.principal)

        def read(reader: Reader) -> dict[str, Any]:
            user = user_named(reader, context.account, name)
            tags = tags_of(reader, user.id)
            return shown_user(user) | ({"Tags": tags} if tags else {})

        return {"User": await self._store.read(read)}

    @operation("ListUsers")
    async def list(self, context: RequestContext, params: "ListUsersRequestTypeDef") -> dict[str, Any]:
        page = page_request(params)
        prefix = params.get("PathPrefix", "/")
        rows = await self._store.read(
            lambda reader: reader.all(
                statements.USERS_PAGE,
                {
                    "account": context.account,
                    "after": page.after,
                    "prefix": prefix,
                    "prefix_length": len(prefix),
                    "limit": page.limit + 1,
                },
            )
        )
        return page_reply("Users", [User(*row) for row in rows], page.limit, lambda user: folded(user.name), shown_user)

    @operation("UpdateUser")
    async def update(self, context: RequestContext, params: "UpdateUserRequestTypeDef") -> dict[str, Any]:
        """Another name, another path: keys, groups and policies stay."""

        def write(tx: Tx) -> None:
            user = user_named(tx, context.account, params["UserName"])
            name, path = params.get("NewUserName", user.name), params.get("NewPath", user.path)
            other = tx.one(statements.USER_BY_FOLDED, {"account": context.account, "folded": folded(name)})
            if other is not None and other[0] != user.id:
                raise already_exists("User", name)
            tx.run(statements.USER_UPDATE, {"id": user.id, "folded": folded(name), "name": name, "path": path})
            tx.after_commit(self._changed)

        await self._store.write(write)
        return {}

    @operation("DeleteUser")
    async def delete(self, context: RequestContext, params: "DeleteUserRequestTypeDef") -> dict[str, Any]:
        def remove(tx: Tx) -> None:
            user = user_named(tx, context.account, params["UserName"])
            if tx.all(statements.KEYS_PAGE, {"user_id": user.id, "after": "", "limit": 1}):
                raise delete_conflict("delete access keys")
            check_released(tx, user.id)
            if tx.all(statements.GROUPS_OF_USER_PAGE, {"user_id": user.id, "after": "", "limit": 1}):
                raise delete_conflict("remove users from group")
            tx.run(statements.TAGS_DELETE, {"owner_id": user.id})
            tx.run(statements.USER_DELETE, {"id": user.id})

        await self._store.write(remove)
        return {}


class AccessKeyOperations:
    def __init__(self, store: Store, clock: Clock, server_key: bytes, key_changed: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._server_key = server_key
        self._key_changed = key_changed  # called once the change is durable

    @operation("CreateAccessKey")
    async def create(self, context: RequestContext, params: "CreateAccessKeyRequestTypeDef") -> dict[str, Any]:
        name = params.get("UserName") or _own_name(context.principal)
        new = new_access_key_id("AKIA"), "Active", self._clock.now()

        def insert(tx: Tx) -> Row:
            user = user_named(tx, context.account, name)
            if context.once is not None:
                known = tx.one(statements.KEY_ONCE, {"user_id": user.id, "once": context.once})
                if known is not None:
                    return known
            tx.run(statements.KEY_INSERT, {"id": new[0], "user_id": user.id, "status": new[1], "created_at": new[2],
                                           "once": context.once})  # fmt: skip
            page = {"user_id": user.id, "after": "", "limit": _KEYS_PER_USER + 1}
            if len(tx.all(statements.KEYS_PAGE, page)) > _KEYS_PER_USER:
                raise quota_exceeded("AccessKeysPerUser", _KEYS_PER_USER)
            return new

        key_id, status, now = await self._store.write(insert)
        return {
            "AccessKey": {
                "UserName": name,
                "AccessKeyId": key_id,
                "Status": status,
                "SecretAccessKey": user_secret(self._server_key, key_id),
                "CreateDate": utc(now),
            }
        }

    @operation("ListAccessKeys")
    async def list(self, context: RequestContext, params: "ListAccessKeysRequestTypeDef") -> dict[str, Any]:
        name = params.get("UserName") or _own_name(context.principal)
        page = page_request(params)

        def read(reader: Reader) -> list[Row]:
            user = user_named(reader, context.account, name)
            return reader.all(statements.KEYS_PAGE, {"user_id": user.id, "after": page.after, "limit": page.limit + 1})

        def shape(row: Row) -> dict[str, Any]:
            key_id, status, created_at = row
            return {"UserName": name, "AccessKeyId": key_id, "Status": status, "CreateDate": utc(created_at)}

        return page_reply("AccessKeyMetadata", await self._store.read(read), page.limit, lambda row: row[0], shape)

    @operation("UpdateAccessKey")
    async def update(self, context: RequestContext, params: "UpdateAccessKeyRequestTypeDef") -> dict[str, Any]:
        if params["Status"] not in ("Active", "Inactive"):
            raise validation(f"An access key can be made Active or Inactive, not {params['Status']}.")
        await self._change(context, params, statements.KEY_STATUS, {"status": params["Status"]})
        return {}

    @operation("DeleteAccessKey")
    async def delete(self, context: RequestContext, params: "DeleteAccessKeyRequestTypeDef") -> dict[str, Any]:
        await self._change(context, params, statements.KEY_DELETE, {})
        return {}

    async def _change(self, context: RequestContext, params: Any, statement: str, values: dict[str, str]) -> None:
        name = params.get("UserName") or _own_name(context.principal)

        def write(tx: Tx) -> None:
            user = user_named(tx, context.account, name)
            if not tx.run(statement, {"id": params["AccessKeyId"], "user_id": user.id, **values}):
                raise no_such("Access Key", params["AccessKeyId"])
            tx.after_commit(self._key_changed)

        await self._store.write(write)


def _own_name(principal: Principal) -> str:
    """Whom an operation without `UserName` is about: the caller, if it is a user."""
    if principal.kind != "user":
        raise validation("Must specify userName when calling with non-User credentials")
    return principal.arn.rpartition("/")[2]


def shown_user(user: User) -> dict[str, Any]:
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": utc(user.created_at),
    }
