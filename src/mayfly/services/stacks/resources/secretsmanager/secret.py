"""AWS::SecretsManager::Secret: a secret whose value the template gives, or has made up."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.reading import observed, tags_seen
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, STRING, TAGS, Refused, fields
from mayfly.services.stacks.resources.tags import retag

GONE = "ResourceNotFoundException"
_NOT_TOGETHER = "SecretString and GenerateSecretString cannot be given together."
_PASSWORD = (
    "ExcludeCharacters",
    "ExcludeLowercase",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "IncludeSpace",
    "PasswordLength",
    "RequireEachIncludedType",
)


class Secret:
    name = "AWS::SecretsManager::Secret"
    schema = fields(
        Name=STRING,
        Description=STRING,
        KmsKeyId=STRING,
        SecretString=STRING,
        GenerateSecretString=fields(
            ExcludeCharacters=STRING,
            ExcludeLowercase=BOOLEAN,
            ExcludeNumbers=BOOLEAN,
            ExcludePunctuation=BOOLEAN,
            ExcludeUppercase=BOOLEAN,
            GenerateStringKey=STRING,
            IncludeSpace=BOOLEAN,
            PasswordLength=INTEGER,
            RequireEachIncludedType=BOOLEAN,
            SecretStringTemplate=STRING,
        ),
        ReplicaRegions=Refused("Mayfly has one region: there are none to replicate a secret to."),
        Type=Refused("Mayfly keeps no secrets of others, whose types this names."),
        Tags=TAGS,
    )
    replaced_by = frozenset({"Name"})
    attributes = frozenset({"Id"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        """Its name, until it has an ARN: that ends with characters that nobody can foresee."""
        return self.custom_name(properties) or f"{target.logical_id}-{target.suffix()}"

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("Name")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(GONE, "secretsmanager", "DescribeSecret", SecretId=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        """Secret and value are made at once, so what an interrupted attempt left is whole."""
        name = self.physical_id(target, properties)
        settings = picked(properties, "Description", "KmsKeyId", "Tags") | await _value(call, properties)
        made = await call.unless("ResourceExistsException", "secretsmanager", "CreateSecret", Name=name, **settings)
        if made is None:
            made = await call("secretsmanager", "DescribeSecret", SecretId=name)
        return Made(made["ARN"], {"Id": made["ARN"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        settings: dict[str, Any] = {}
        if changed(old, new, "Description", "KmsKeyId"):
            settings = {"Description": new.get("Description", ""), "KmsKeyId": new.get("KmsKeyId", "")}
        if changed(old, new, "SecretString", "GenerateSecretString"):
            settings |= await _value(call, new)
        if settings:
            await call("secretsmanager", "UpdateSecret", SecretId=made.physical_id, **settings)
        await retag(call, "secretsmanager", old, new, SecretId=made.physical_id)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        """At once, as CloudFormation does: a stack that is made again has the name again."""
        await call.unless(
            GONE, "secretsmanager", "DeleteSecret", SecretId=made.physical_id, ForceDeleteWithoutRecovery=True
        )

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "secretsmanager", "DescribeSecret", SecretId=made.physical_id)
        if found is None or "DeletedDate" in found:
            return None
        truth = picked(found, "Description", "KmsKeyId", *picked(properties, "Name"))
        truth |= tags_seen(properties, found.get("Tags", ()))
        return observed(properties, truth, "SecretString", "GenerateSecretString")


async def _value(call: Caller, properties: Mapping[str, Any]) -> dict[str, str]:
    """The value that the template gives, or one that is made up as it says; nothing where it says nothing."""
    wanted = properties.get("GenerateSecretString")
    if "SecretString" in properties:
        if wanted is not None:
            raise ServiceError("InvalidRequestException", _NOT_TOGETHER)
        return {"SecretString": properties["SecretString"]}
    if wanted is None:
        return {}
    reply = await call("secretsmanager", "GetRandomPassword", **picked(wanted, *_PASSWORD))
    password: str = reply["RandomPassword"]
    key, template = wanted.get("GenerateStringKey"), wanted.get("SecretStringTemplate")
    if key is None and template is None:
        return {"SecretString": password}
    try:
        document = json.loads(template or "")
    except (ValueError, RecursionError):
        document = None
    if key is None or not isinstance(document, dict):
        raise ServiceError(
            "InvalidRequestException",
            "GenerateStringKey and SecretStringTemplate go together, and the template is a JSON object.",
        )
    return {"SecretString": json.dumps({**document, key: password}, separators=(",", ":"))}
