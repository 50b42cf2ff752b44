"""Operations on instance profiles: what holds a role for a machine. Mayfly has no machines; they are kept for templates
and tools that make them beside their roles."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.identity import statements
from mayfly.services.identity.faults import delete_conflict, no_such, quota_exceeded
from mayfly.services.identity.model import PROFILE_ID_PREFIX, InstanceProfile, Role, folded, new_unique_id
from mayfly.services.identity.operations.roles import shown_role
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.records import profile_named, put_tags, role_named, tags_of
from mayfly.store.api import Reader, Row, Store, Tx

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        AddRoleToInstanceProfileRequestTypeDef,
        CreateInstanceProfileRequestTypeDef,
        DeleteInstanceProfileRequestTypeDef,
        GetInstanceProfileRequestTypeDef,
        ListInstanceProfilesForRoleRequestTypeDef,
        ListInstanceProfilesRequestTypeDef,
        RemoveRoleFromInstanceProfileRequestTypeDef,
    )


class InstanceProfileOperations:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateInstanceProfile")
    async def create(self, context: RequestContext, params: "CreateInstanceProfileRequestTypeDef") -> dict[str, Any]:
        name, path, now = params["InstanceProfileName"], params.get("Path", "/"), self._clock.now()
        profile = InstanceProfile(context.account, name, path, new_unique_id(PROFILE_ID_PREFIX), now)
        tags = params.get("Tags", ())

        def insert(tx: Tx) -> dict[str, Any]:
            if not tx.run(statements.PROFILE_INSERT, {"folded": folded(name), **msgspec.structs.asdict(profile)}):
                raise ServiceError("EntityAlreadyExists", f"Instance Profile {name} already exists.", status=409)
            put_tags(tx, profile.id, tags)
            return _shape(tx, profile)

        return {"InstanceProfile": await self._store.write(insert)}

    @operation("GetInstanceProfile")
    async def get(self, context: RequestContext, params: "GetInstanceProfileRequestTypeDef") -> dict[str, Any]:
        def read(reader: Reader) -> dict[str, Any]:
            return _shape(reader, profile_named(reader, context.account, params["InstanceProfileName"]))

        return {"InstanceProfile": await self._store.read(read)}

    @operation("ListInstanceProfiles")
    async def list(self, context: RequestContext, params: "ListInstanceProfilesRequestTypeDef") -> dict[str, Any]:
        page, prefix = page_request(params), params.get("PathPrefix", "/")
        bounds = {
            "account": context.account,
            "after": page.after,
            "prefix": prefix,
            "prefix_length": len(prefix),
            "limit": page.limit + 1,
        }

        def read(reader: Reader) -> dict[str, Any]:
            return _page(reader, reader.all(statements.PROFILES_PAGE, bounds), page.limit)

        return await self._store.read(read)

    @operation("ListInstanceProfilesForRole")
    async def of_role(
        self, context: RequestContext, params: "ListInstanceProfilesForRoleRequestTypeDef"
    ) -> dict[str, Any]:
        page = page_request(params)

        def read(reader: Reader) -> dict[str, Any]:
            role = role_named(reader, context.account, params["RoleName"])
            bounds = {"role_id": role.id, "after": page.after, "limit": page.limit + 1}
            return _page(reader, reader.all(statements.PROFILES_OF_ROLE_PAGE, bounds), page.limit)

        return await self._store.read(read)

    @operation("AddRoleToInstanceProfile")
    async def add(self, context: RequestContext, params: "AddRoleToInstanceProfileRequestTypeDef") -> dict[str, Any]:
        def write(tx: Tx) -> None:
            profile = profile_named(tx, context.account, params["InstanceProfileName"])
            role = role_named(tx, context.account, params["RoleName"])
            if profile.role_id is not None:
                raise quota_exceeded("InstanceSessionsPerInstanceProfile", 1)
            tx.run(statements.PROFILE_ROLE, {"id": profile.id, "role_id": role.id})

        await self._store.write(write)
        return {}

    @operation("RemoveRoleFromInstanceProfile")
    async def remove(
        self, context: RequestContext, params: "RemoveRoleFromInstanceProfileRequestTypeDef"
    ) -> dict[str, Any]:
        def write(tx: Tx) -> None:
            profile = profile_named(tx, context.account, params["InstanceProfileName"])
            role = role_named(tx, context.account, params["RoleName"])
            if profile.role_id != role.id:
                raise no_such("role", role.name)
            tx.run(statements.PROFILE_ROLE, {"id": profile.id, "role_id": None})

        await self._store.write(write)
        return {}

    @operation("DeleteInstanceProfile")
    async def delete(self, context: RequestContext, params: "DeleteInstanceProfileRequestTypeDef") -> dict[str, Any]:
        def write(tx: Tx) -> None:
            profile = profile_named(tx, context.account, params["InstanceProfileName"])
            if profile.role_id is not None:
                raise delete_conflict("remove roles from instance profile")
            tx.run(statements.TAGS_DELETE, {"owner_id": profile.id})
            tx.run(statements.PROFILE_DELETE, {"id": profile.id})

        await self._store.write(write)
        return {}


def _page(reader: Reader, rows: list[Row], limit: int) -> dict[str, Any]:
    found = [InstanceProfile(*row) for row in rows]
    return page_reply(
        "InstanceProfiles", found, limit, lambda profile: folded(profile.name), lambda profile: _shape(reader, profile)
    )


def _shape(reader: Reader, profile: InstanceProfile) -> dict[str, Any]:
    row = None if profile.role_id is None else reader.one(statements.ROLE_BY_ID, {"id": profile.role_id})
    tags = tags_of(reader, profile.id)
    shape = {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": utc(profile.created_at),
        "Roles": [] if row is None else [shown_role(Role(*row))],
    }
    return shape | ({"Tags": tags} if tags else {})
