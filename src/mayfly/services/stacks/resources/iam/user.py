"""AWS::IAM::User: with groups, policies and tags. Its keys are resources of their own."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked, tag_changes
from mayfly.services.stacks.resources.iam.grants import (
    GONE,
    NO_BOUNDARY,
    POLICIES,
    USER,
    gone_from,
    grant,
    granted,
    new_in,
)
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import in_order, observed, tags_seen
from mayfly.services.stacks.resources.schema import BOOLEAN, STRING, STRINGS, TAGS, Ignored, fields


class User(Named):
    name = "AWS::IAM::User"
    schema = fields(
        Groups=STRINGS,
        LoginProfile=Ignored(
            "A password is for AWS's console, and Mayfly has none.",
            fields("Password", Password=STRING, PasswordResetRequired=BOOLEAN),
        ),
        ManagedPolicyArns=STRINGS,
        Path=STRING,
        PermissionsBoundary=NO_BOUNDARY,
        Policies=POLICIES,
        Tags=TAGS,
        UserName=STRING,
    )
    replaced_by = frozenset({"UserName"})
    attributes = frozenset({"Arn"})
    named_by = "UserName"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(GONE, "iam", "GetUser", UserName=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call.unless(
            "EntityAlreadyExists", "iam", "CreateUser", UserName=name, **picked(properties, "Path", "Tags")
        )
        await grant(call, USER, name, {}, properties)
        await self._join(call, name, {}, properties)
        return await self._made(call, name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        name = made.physical_id
        if changed(old, new, "Path"):
            await call("iam", "UpdateUser", UserName=name, NewPath=new.get("Path", "/"))
        put, remove = tag_changes(old, new)
        if remove:
            await call("iam", "UntagUser", UserName=name, TagKeys=remove)
        if put:
            await call("iam", "TagUser", UserName=name, Tags=put)
        await grant(call, USER, name, old, new)
        await self._join(call, name, old, new)
        return await self._made(call, name)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        name = made.physical_id
        await grant(call, USER, name, properties, {})
        await self._join(call, name, properties, {})
        await call.unless(GONE, "iam", "DeleteUser", UserName=name)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        name = made.physical_id
        reply = await call.unless(GONE, "iam", "GetUser", UserName=name)
        if reply is None:
            return None
        found, given = reply["User"], properties.get("Groups", ())
        groups = (await call("iam", "ListGroupsForUser", UserName=name))["Groups"]
        mine = [one["GroupName"] for one in groups if one["GroupName"] in given]
        return observed(
            properties,
            {
                **picked(found, "UserName", "Path"),
                "Groups": in_order(given, mine, str) or None,
                **await granted(call, USER, name, properties),
                **tags_seen(properties, found.get("Tags", ())),
            },
            "LoginProfile",
            defaults={"UserName": name, "Path": "/"},
        )

    async def _join(self, call: Caller, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for group in gone_from(old, new, "Groups"):
            await call.unless(GONE, "iam", "RemoveUserFromGroup", UserName=name, GroupName=group)
        for group in new_in(old, new, "Groups"):
            await call("iam", "AddUserToGroup", UserName=name, GroupName=group)

    async def _made(self, call: Caller, name: str) -> Made:
        return Made(name, {"Arn": (await call("iam", "GetUser", UserName=name))["User"]["Arn"]})
