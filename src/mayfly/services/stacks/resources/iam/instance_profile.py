"""AWS::IAM::InstanceProfile: a role in what machines would take it from. Mayfly has no machines, and keeps it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.iam.grants import GONE
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import STRING, STRINGS, fields


class InstanceProfile(Named):
    name = "AWS::IAM::InstanceProfile"
    schema = fields("Roles", InstanceProfileName=STRING, Path=STRING, Roles=STRINGS)
    replaced_by = frozenset({"InstanceProfileName", "Path"})
    attributes = frozenset({"Arn"})
    named_by = "InstanceProfileName"
    most_characters = 128

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._find(call, self.physical_id(target, properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        said = {"InstanceProfileName": name, **picked(properties, "Path")}
        await call.unless("EntityAlreadyExists", "iam", "CreateInstanceProfile", **said)
        await self._hold(call, name, properties["Roles"])
        return await self._made(call, name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._hold(call, made.physical_id, new["Roles"])
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        name = made.physical_id
        if await self._find(call, name) is not None:
            await self._hold(call, name, [])
            await call.unless(GONE, "iam", "DeleteInstanceProfile", InstanceProfileName=name)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await self._find(call, made.physical_id)
        if found is None:
            return None
        truth = picked(found, "InstanceProfileName", "Path") | {"Roles": _roles(found)}
        return observed(properties, truth, defaults={"InstanceProfileName": made.physical_id, "Path": "/"})

    async def _hold(self, call: Caller, name: str, roles: list[str]) -> None:
        """Have exactly these roles in the profile, of which IAM takes one."""
        found = await self._find(call, name) or {}
        had = _roles(found)
        for role in had:
            if role not in roles:
                gone = {"InstanceProfileName": name, "RoleName": role}
                await call.unless(GONE, "iam", "RemoveRoleFromInstanceProfile", **gone)
        for role in roles:
            if role not in had:
                await call("iam", "AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=role)

    async def _find(self, call: Caller, name: str) -> dict[str, Any] | None:
        reply = await call.unless(GONE, "iam", "GetInstanceProfile", InstanceProfileName=name)
        return None if reply is None else reply["InstanceProfile"]

    async def _made(self, call: Caller, name: str) -> Made:
        found = await call("iam", "GetInstanceProfile", InstanceProfileName=name)
        return Made(name, {"Arn": found["InstanceProfile"]["Arn"]})


def _roles(profile: Mapping[str, Any]) -> list[str]:
    return [role["RoleName"] for role in profile.get("Roles", ())]
