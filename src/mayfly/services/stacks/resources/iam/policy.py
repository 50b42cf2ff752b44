"""AWS::IAM::Policy: one inline policy, put on several roles, users and groups."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.iam import grants
from mayfly.services.stacks.resources.iam.grants import KINDS
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.schema import JSON, STRING, STRINGS, PropertyError, fields


class InlinePolicy(Unnamed):
    """Putting a policy under a name that somebody has replaces it, as on AWS."""

    name = "AWS::IAM::Policy"
    schema = fields(
        "PolicyName PolicyDocument",
        Groups=STRINGS,
        PolicyDocument=JSON,
        PolicyName=STRING,
        Roles=STRINGS,
        Users=STRINGS,
    )
    replaced_by: frozenset[str] = frozenset()
    attributes = frozenset({"Id"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._put(call, properties)
        name = self.physical_id(target, properties)
        return Made(name, {"Id": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._put(call, new)
        renamed = old["PolicyName"] != new["PolicyName"]
        for member, kind in KINDS.items():
            for owner in old.get(member, ()) if renamed else grants.gone_from(old, new, member):
                await grants.take(call, kind, owner, old["PolicyName"])
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        for member, kind in KINDS.items():
            for owner in properties.get(member, ()):
                await grants.take(call, kind, owner, properties["PolicyName"])

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        name, given = properties["PolicyName"], properties["PolicyDocument"]
        truth: dict[str, Any] = {"PolicyName": name, "PolicyDocument": given}
        somebody = False
        for member, kind in KINDS.items():
            for owner in properties.get(member, ()):
                document = await grants.get(call, kind, owner, name, given)
                if document is None:
                    continue
                somebody = True
                truth.setdefault(member, []).append(owner)
                if document != given:
                    truth["PolicyDocument"] = document
        return truth if somebody else None

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> None:
        if not any(properties.get(member) for member in KINDS):
            raise PropertyError("At least one of [Groups,Roles,Users] must be non-empty.")
        for member, kind in KINDS.items():
            for owner in properties.get(member, ()):
                await grants.put(call, kind, owner, properties["PolicyName"], properties["PolicyDocument"])
