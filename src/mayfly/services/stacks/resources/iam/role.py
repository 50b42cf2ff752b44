"""AWS::IAM::Role, with its inline and attached policies."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked, tag_changes
from mayfly.services.stacks.resources.iam.grants import (
    GONE,
    NO_BOUNDARY,
    POLICIES,
    ROLE,
    document_of,
    grant,
    granted,
    text,
)
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import observed, tags_seen
from mayfly.services.stacks.resources.schema import INTEGER, JSON, STRING, STRINGS, TAGS, fields

_DEFAULTS = {"Path": "/", "Description": "", "MaxSessionDuration": 3600}


class Role(Named):
    name = "AWS::IAM::Role"
    schema = fields(
        "AssumeRolePolicyDocument",
        RoleName=STRING,
        Path=STRING,
        AssumeRolePolicyDocument=JSON,
        Description=STRING,
        MaxSessionDuration=INTEGER,
        ManagedPolicyArns=STRINGS,
        PermissionsBoundary=NO_BOUNDARY,
        Policies=POLICIES,
        Tags=TAGS,
    )
    replaced_by = frozenset({"RoleName", "Path"})
    attributes = frozenset({"Arn", "RoleId"})
    named_by = "RoleName"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        role = self.physical_id(target, properties)
        return await call.unless(GONE, "iam", "GetRole", RoleName=role) is not None

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
        await grant(call, ROLE, role, {}, properties)
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
        await grant(call, ROLE, role, old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await grant(call, ROLE, made.physical_id, properties, {})
        await call.unless(GONE, "iam", "DeleteRole", RoleName=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        role = made.physical_id
        reply = await call.unless(GONE, "iam", "GetRole", RoleName=role)
        if reply is None:
            return None
        found = reply["Role"]
        given = properties["AssumeRolePolicyDocument"]
        return observed(
            properties,
            {
                **picked(found, "RoleName", *_DEFAULTS),
                "AssumeRolePolicyDocument": document_of(given, found["AssumeRolePolicyDocument"]),
                **await granted(call, ROLE, role, properties),
                **tags_seen(properties, found.get("Tags", ())),
            },
            defaults={**_DEFAULTS, "RoleName": role},
        )
