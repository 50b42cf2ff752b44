"""AWS::Lambda::CodeSigningConfig: whose code may be deployed. Everything of it can be changed in place."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.reading import observed, tags_seen
from mayfly.services.stacks.resources.schema import STRING, STRINGS, TAGS, fields
from mayfly.services.stacks.resources.tags import retag_lambda

_SETTINGS = ("AllowedPublishers", "CodeSigningPolicies", "Description")
_DEFAULTS = {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"}, "Description": ""}


class CodeSigningConfig:
    name = "AWS::Lambda::CodeSigningConfig"
    schema = fields(
        "AllowedPublishers",
        AllowedPublishers=fields("SigningProfileVersionArns", SigningProfileVersionArns=STRINGS),
        CodeSigningPolicies=fields("UntrustedArtifactOnDeployment", UntrustedArtifactOnDeployment=STRING),
        Description=STRING,
        Tags=TAGS,
    )
    replaced_by: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset({"CodeSigningConfigArn", "CodeSigningConfigId"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # its id is nobody else's

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        settings = {name: properties[name] for name in _SETTINGS if name in properties}
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
        reply = await call.once(target, "lambda", "CreateCodeSigningConfig", Tags=tags, **settings)
        made = reply["CodeSigningConfig"]
        arn = made["CodeSigningConfigArn"]
        return Made(arn, {"CodeSigningConfigArn": arn, "CodeSigningConfigId": made["CodeSigningConfigId"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        named = {"CodeSigningConfigArn": made.physical_id}
        settings = {name: new.get(name, _DEFAULTS.get(name)) for name in _SETTINGS if changed(old, new, name)}
        if settings:
            await call("lambda", "UpdateCodeSigningConfig", **named, **settings)
        await retag_lambda(call, made.physical_id, old, new)
        return made

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        named = {"CodeSigningConfigArn": made.physical_id}
        reply = await call.unless("ResourceNotFoundException", "lambda", "GetCodeSigningConfig", **named)
        if reply is None:
            return None
        truth = picked(reply["CodeSigningConfig"], *_SETTINGS)
        tags = await call("lambda", "ListTags", Resource=made.physical_id)
        return observed(properties, {**truth, **tags_seen(properties, tags.get("Tags", {}))}, defaults=_DEFAULTS)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        if made.attributes:  # else it was not made
            named = {"CodeSigningConfigArn": made.physical_id}
            await call.unless("ResourceNotFoundException", "lambda", "DeleteCodeSigningConfig", **named)
