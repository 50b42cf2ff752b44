"""AWS::IAM::RolePolicy, UserPolicy and GroupPolicy: one inline policy of one role, user or group."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.iam import grants
from mayfly.services.stacks.resources.iam.grants import GROUP, ROLE, USER, Kind
from mayfly.services.stacks.resources.schema import JSON, STRING, PropertyError, Schema, fields


class OwnedPolicy:
    """One of the three, by whom it is put on."""

    attributes: frozenset[str] = frozenset()

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._owner = f"{kind.word}Name"
        self.name = f"AWS::IAM::{kind.word}Policy"
        members: dict[str, Schema] = {"PolicyDocument": JSON, "PolicyName": STRING, self._owner: STRING}
        self.schema = fields(f"PolicyName {self._owner}", **members)
        self.replaced_by = frozenset({"PolicyName", self._owner})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return f"{properties['PolicyName']}|{properties[self._owner]}"

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return f"{properties['PolicyName']}|{properties[self._owner]}"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        found = await grants.get(call, self._kind, properties[self._owner], properties["PolicyName"], None)
        return found is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._put(call, properties)
        return Made(self.physical_id(target, properties))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._put(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await grants.take(call, self._kind, properties[self._owner], properties["PolicyName"])

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        place, given = (properties[self._owner], properties["PolicyName"]), properties["PolicyDocument"]
        document = await grants.get(call, self._kind, *place, given)
        return None if document is None else {**properties, "PolicyDocument": document}

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> None:
        if "PolicyDocument" not in properties:
            raise PropertyError("#: required key [PolicyDocument] not found")
        owner, name = properties[self._owner], properties["PolicyName"]
        await grants.put(call, self._kind, owner, name, properties["PolicyDocument"])


OWNED = (OwnedPolicy(ROLE), OwnedPolicy(USER), OwnedPolicy(GROUP))
