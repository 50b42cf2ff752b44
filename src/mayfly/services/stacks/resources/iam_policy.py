"""AWS::IAM::Policy, an inline policy put on several roles, and AWS::IAM::ManagedPolicy, one that stands alone.

A managed policy is replaced when its document changes, because it has a single version for now.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.iam_role import text
from mayfly.services.stacks.resources.schema import JSON, STRING, STRINGS, fields

_GONE = "NoSuchEntity"


class InlinePolicy:
    name = "AWS::IAM::Policy"
    schema = fields("PolicyName PolicyDocument Roles", PolicyName=STRING, PolicyDocument=JSON, Roles=STRINGS)
    replaced_by: frozenset[str] = frozenset()
    attributes = frozenset({"Id"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(128)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # putting a policy under a name that a role has replaces it, as on AWS

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._put(call, properties)
        name = self.physical_id(target, properties)
        return Made(name, {"Id": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._put(call, new)
        kept = new["Roles"] if old["PolicyName"] == new["PolicyName"] else ()
        await self._remove(call, old["PolicyName"], [role for role in old["Roles"] if role not in kept])
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await self._remove(call, properties["PolicyName"], properties["Roles"])

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> None:
        document = text(properties["PolicyDocument"])
        for role in properties["Roles"]:
            await call(
                "iam", "PutRolePolicy", RoleName=role, PolicyName=properties["PolicyName"], PolicyDocument=document
            )

    async def _remove(self, call: Caller, name: str, roles: list[str]) -> None:
        for role in roles:
            await call.unless(_GONE, "iam", "DeleteRolePolicy", RoleName=role, PolicyName=name)


class ManagedPolicy:
    name = "AWS::IAM::ManagedPolicy"
    schema = fields(
        "PolicyDocument",
        ManagedPolicyName=STRING,
        PolicyDocument=JSON,
        Description=STRING,
        Path=STRING,
        Roles=STRINGS,
    )
    replaced_by = frozenset({"ManagedPolicyName", "PolicyDocument", "Description", "Path"})
    attributes = frozenset({"PolicyArn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        name = self.custom_name(properties) or target.name(128)
        return f"arn:aws:iam::{target.account}:policy{properties.get('Path', '/')}{name}"

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("ManagedPolicyName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        arn = self.physical_id(target, properties)
        return await call.unless(_GONE, "iam", "GetPolicy", PolicyArn=arn) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        arn = self.physical_id(target, properties)
        await call.unless(
            "EntityAlreadyExists",
            "iam",
            "CreatePolicy",
            PolicyName=arn.rpartition("/")[2],
            PolicyDocument=text(properties["PolicyDocument"]),
            **picked(properties, "Description", "Path"),
        )
        await self._attach(call, arn, [], properties.get("Roles", []))
        return Made(arn, {"PolicyArn": arn})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._attach(call, made.physical_id, old.get("Roles", []), new.get("Roles", []))
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await self._attach(call, made.physical_id, properties.get("Roles", []), [])
        await call.unless(_GONE, "iam", "DeletePolicy", PolicyArn=made.physical_id)

    async def _attach(self, call: Caller, arn: str, old: list[str], new: list[str]) -> None:
        for role in old:
            if role not in new:
                await call.unless(_GONE, "iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)
        for role in new:
            if role not in old:
                await call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)
