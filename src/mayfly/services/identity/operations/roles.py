"""Operations on roles themselves and on their trust policies."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.identity import statements
from mayfly.services.identity.faults import already_exists, delete_conflict, quota_exceeded, unsupported
from mayfly.services.identity.model import ROLE_ID_PREFIX, Role, folded, new_unique_id
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.policy_documents import parse_trust_policy
from mayfly.services.identity.records import put_tags, role_named, tags_of
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateRoleRequestTypeDef,
        DeleteRoleRequestTypeDef,
        GetRoleRequestTypeDef,
        ListRolesRequestTypeDef,
        UpdateAssumeRolePolicyRequestTypeDef,
        UpdateRoleDescriptionRequestTypeDef,
        UpdateRoleRequestTypeDef,
    )

_DEFAULT_SESSION_S = 3600
_TRUST_POLICY_LIMIT = 2048  # characters, white space aside


class RoleOperations:
    def __init__(self, store: Store, clock: Clock, role_deleted: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._role_deleted = role_deleted  # called once the deletion is durable

    @operation("CreateRole")
    async def create(self, context: RequestContext, params: "CreateRoleRequestTypeDef") -> dict[str, Any]:
        refuse_boundary(params)
        _check_trust_policy(params["AssumeRolePolicyDocument"])
        role = Role(
            context.account,
            params["RoleName"],
            params.get("Path", "/"),
            new_unique_id(ROLE_ID_PREFIX),
            params["AssumeRolePolicyDocument"],
            params.get("Description", ""),
            params.get("MaxSessionDuration", _DEFAULT_SESSION_S),
            self._clock.now(),
        )
        tags = params.get("Tags", ())

        def insert(tx: Tx) -> None:
            if not tx.run(statements.ROLE_INSERT, {"folded": folded(role.name), **msgspec.structs.asdict(role)}):
                raise already_exists("Role", role.name)
            put_tags(tx, role.id, tags)

        await self._store.write(insert)
        return {"Role": shown_role(role) | ({"Tags": list(tags)} if tags else {})}

    @operation("GetRole")
    async def get(self, context: RequestContext, params: "GetRoleRequestTypeDef") -> dict[str, Any]:
        def read(reader: Reader) -> dict[str, Any]:
            return _detailed(reader, role_named(reader, context.account, params["RoleName"]))

        return {"Role": await self._store.read(read)}

    @operation("ListRoles")
    async def list(self, context: RequestContext, params: "ListRolesRequestTypeDef") -> dict[str, Any]:
        page = page_request(params)
        prefix = params.get("PathPrefix", "/")
        rows = await self._store.read(
            lambda reader: reader.all(
                statements.ROLES_PAGE,
                {
                    "account": context.account,
                    "after": page.after,
                    "prefix": prefix,
                    "prefix_length": len(prefix),
                    "limit": page.limit + 1,
                },
            )
        )
        return page_reply("Roles", [Role(*row) for row in rows], page.limit, lambda role: folded(role.name), shown_role)

    @operation("UpdateRole")
    async def update(self, context: RequestContext, params: "UpdateRoleRequestTypeDef") -> dict[str, Any]:
        # A duration that is not given goes back to the default, as IAM has it; a description stays.
        session_s = params.get("MaxSessionDuration", _DEFAULT_SESSION_S)

        def changed(role: Role) -> Role:
            return msgspec.structs.replace(
                role, description=params.get("Description", role.description), max_session_s=session_s
            )

        await self._change(context, params["RoleName"], changed)
        return {}

    @operation("UpdateRoleDescription")
    async def describe(self, context: RequestContext, params: "UpdateRoleDescriptionRequestTypeDef") -> dict[str, Any]:
        def changed(role: Role) -> Role:
            return msgspec.structs.replace(role, description=params["Description"])

        return {"Role": await self._change(context, params["RoleName"], changed)}

    @operation("UpdateAssumeRolePolicy")
    async def update_trust(
        self, context: RequestContext, params: "UpdateAssumeRolePolicyRequestTypeDef"
    ) -> dict[str, Any]:
        _check_trust_policy(params["PolicyDocument"])

        def changed(role: Role) -> Role:
            return msgspec.structs.replace(role, trust_policy=params["PolicyDocument"])

        await self._change(context, params["RoleName"], changed)
        return {}

    @operation("DeleteRole")
    async def delete(self, context: RequestContext, params: "DeleteRoleRequestTypeDef") -> dict[str, Any]:
        def remove(tx: Tx) -> None:
            role = role_named(tx, context.account, params["RoleName"])
            page = {"role_id": role.id, "after": "", "limit": 1}
            if tx.all(statements.ROLE_POLICIES_PAGE, page):
                raise delete_conflict("delete policies")
            if tx.all(statements.ATTACHMENTS_PAGE, page):
                raise delete_conflict("detach all policies")
            if tx.all(statements.PROFILES_OF_ROLE_PAGE, page):
                raise delete_conflict("remove roles from instance profile")
            tx.run(statements.TAGS_DELETE, {"owner_id": role.id})
            tx.run(statements.ROLE_DELETE, {"id": role.id})
            tx.after_commit(self._role_deleted)

        await self._store.write(remove)
        return {}

    async def _change(self, context: RequestContext, name: str, changed: Callable[[Role], Role]) -> dict[str, Any]:
        def write(tx: Tx) -> dict[str, Any]:
            role = changed(role_named(tx, context.account, name))
            tx.run(
                statements.ROLE_UPDATE,
                {
                    "id": role.id,
                    "description": role.description,
                    "max_session_s": role.max_session_s,
                    "trust_policy": role.trust_policy,
                },
            )
            return _detailed(tx, role)

        return await self._store.write(write)


def refuse_boundary(params: Any) -> None:
    """`ServiceError` for a permissions boundary: to store it and not hold it would promise a limit that is none."""
    if "PermissionsBoundary" in params:
        raise unsupported("PermissionsBoundary", "policies are not evaluated yet, so it would limit nothing")


def without_white_space(document: str) -> int:
    """The size of a policy document as IAM counts it, in characters."""
    return sum(not char.isspace() for char in document)


def _check_trust_policy(document: str) -> None:
    if without_white_space(document) > _TRUST_POLICY_LIMIT:
        raise quota_exceeded("ACLSizePerRole", _TRUST_POLICY_LIMIT)
    parse_trust_policy(document)


def shown_role(role: Role) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": utc(role.created_at),
        "AssumeRolePolicyDocument": quote(role.trust_policy, safe=""),  # percent-encoded on the wire, as IAM has it
        "MaxSessionDuration": role.max_session_s,
    }
    return shape | ({"Description": role.description} if role.description else {})


def _detailed(reader: Reader, role: Role) -> dict[str, Any]:
    tags = tags_of(reader, role.id)
    return shown_role(role) | ({"Tags": tags} if tags else {})
