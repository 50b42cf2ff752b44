"""AWS::IAM::Role, with its inline and attached policies."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked, tag_changes
from mayfly.services.stacks.resources.schema import INTEGER, JSON, STRING, STRINGS, TAGS, Items, fields

_GONE = "NoSuchEntity"


class Role:
    name = "AWS::IAM::Role"
    schema = fields(
        "AssumeRolePolicyDocument",
        RoleName=STRING,
        Path=STRING,
        AssumeRolePolicyDocument=JSON,
        Description=STRING,
        MaxSessionDuration=INTEGER,
        ManagedPolicyArns=STRINGS,
        Policies=Items(fields("PolicyName PolicyDocument", PolicyName=STRING, PolicyDocument=JSON)),
        Tags=TAGS,
    )
    replaced_by = frozenset({"RoleName", "Path"})
    attributes = frozenset({"Arn", "RoleId"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(64)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("RoleName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        role = self.physical_id(target, properties)
        return await call.unless(_GONE, "iam", "GetRole", RoleName=role) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        role = self.physical_id(target, properties)
        reply = await call.unless(
            "EntityAlreadyExists",
            "iam",
            "CreateRole",
            RoleName=role,
            AssumeRolePolicyDocument=text(properties["AssumeRolePolicyDocument"]),
            **picked(properties, "Path", "Description", "MaxSessionDuration", "Tags"),
        )
        if reply is None:
            reply = await call("iam", "GetRole", RoleName=role)
        await self._grant(call, role, {}, properties)
        return Made(role, {"Arn": reply["Role"]["Arn"], "RoleId": reply["Role"]["RoleId"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        role = made.physical_id
        if changed(old, new, "AssumeRolePolicyDocument"):
            document = text(new["AssumeRolePolicyDocument"])
            await call("iam", "UpdateAssumeRolePolicy", RoleName=role, PolicyDocument=document)
        if changed(old, new, "Description", "MaxSessionDuration"):
            settings = {"Description": "", "MaxSessionDuration": 3600} | picked(
                new, "Description", "MaxSessionDuration"
            )
            await call("iam", "UpdateRole", RoleName=role, **settings)
        put, remove = tag_changes(old, new)
        if remove:
            await call("iam", "UntagRole", RoleName=role, TagKeys=remove)
        if put:
            await call("iam", "TagRole", RoleName=role, Tags=put)
        await self._grant(call, role, old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await self._grant(call, made.physical_id, properties, {})
        await call.unless(_GONE, "iam", "DeleteRole", RoleName=made.physical_id)

    async def _grant(self, call: Caller, role: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Bring the policies on the role from `old` to `new`; what others put there stays."""
        before = {policy["PolicyName"]: policy["PolicyDocument"] for policy in old.get("Policies", ())}
        after = {policy["PolicyName"]: policy["PolicyDocument"] for policy in new.get("Policies", ())}
        for name in before.keys() - after.keys():
            await call.unless(_GONE, "iam", "DeleteRolePolicy", RoleName=role, PolicyName=name)
        for name, document in after.items():
            if before.get(name) != document:
                await call("iam", "PutRolePolicy", RoleName=role, PolicyName=name, PolicyDocument=text(document))
        attached, wanted = set(old.get("ManagedPolicyArns", ())), list(new.get("ManagedPolicyArns", ()))
        for arn in sorted(attached - set(wanted)):
            await call.unless(_GONE, "iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)
        for arn in wanted:
            if arn not in attached:
                await call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)


def text(document: Any) -> str:
    """A policy document as the text that IAM takes."""
    return document if isinstance(document, str) else json.dumps(document)
