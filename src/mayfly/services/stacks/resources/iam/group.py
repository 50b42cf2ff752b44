"""AWS::IAM::Group, and AWS::IAM::UserToGroupAddition: some users in one."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.iam.grants import GONE, GROUP, POLICIES, gone_from, grant, granted
from mayfly.services.stacks.resources.named import Named, Unnamed
from mayfly.services.stacks.resources.reading import in_order, observed
from mayfly.services.stacks.resources.schema import STRING, STRINGS, fields


class Group(Named):
    name = "AWS::IAM::Group"
    schema = fields(GroupName=STRING, ManagedPolicyArns=STRINGS, Path=STRING, Policies=POLICIES)
    replaced_by = frozenset({"GroupName"})
    attributes = frozenset({"Arn"})
    named_by = "GroupName"
    most_characters = 128

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(GONE, "iam", "GetGroup", GroupName=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call.unless("EntityAlreadyExists", "iam", "CreateGroup", GroupName=name, **picked(properties, "Path"))
        await grant(call, GROUP, name, {}, properties)
        return await self._made(call, name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        name = made.physical_id
        if changed(old, new, "Path"):
            await call("iam", "UpdateGroup", GroupName=name, NewPath=new.get("Path", "/"))
        await grant(call, GROUP, name, old, new)
        return await self._made(call, name)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await grant(call, GROUP, made.physical_id, properties, {})
        await call.unless(GONE, "iam", "DeleteGroup", GroupName=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        name = made.physical_id
        reply = await call.unless(GONE, "iam", "GetGroup", GroupName=name)
        if reply is None:
            return None
        truth = picked(reply["Group"], "GroupName", "Path") | await granted(call, GROUP, name, properties)
        return observed(properties, truth, defaults={"GroupName": name, "Path": "/"})

    async def _made(self, call: Caller, name: str) -> Made:
        return Made(name, {"Arn": (await call("iam", "GetGroup", GroupName=name))["Group"]["Arn"]})


class UserToGroupAddition(Unnamed):
    name = "AWS::IAM::UserToGroupAddition"
    schema = fields("GroupName Users", GroupName=STRING, Users=STRINGS)
    replaced_by: frozenset[str] = frozenset()
    attributes = frozenset({"Id"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._add(call, properties)
        name = self.physical_id(target, properties)
        return Made(name, {"Id": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._add(call, new)
        moved = old["GroupName"] != new["GroupName"]
        await self._remove(call, old["GroupName"], old["Users"] if moved else gone_from(old, new, "Users"))
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await self._remove(call, properties["GroupName"], properties["Users"])

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        group = properties["GroupName"]
        found = []
        for user in properties["Users"]:
            reply = await call.unless(GONE, "iam", "ListGroupsForUser", UserName=user)
            if reply is not None and group in [one["GroupName"] for one in reply["Groups"]]:
                found.append(user)
        return {"GroupName": group, "Users": in_order(properties["Users"], found, str)} if found else None

    async def _add(self, call: Caller, properties: Mapping[str, Any]) -> None:
        for user in properties["Users"]:
            await call("iam", "AddUserToGroup", GroupName=properties["GroupName"], UserName=user)

    async def _remove(self, call: Caller, group: str, users: list[str]) -> None:
        for user in users:
            await call.unless(GONE, "iam", "RemoveUserFromGroup", GroupName=group, UserName=user)
