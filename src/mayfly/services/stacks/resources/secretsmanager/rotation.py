"""AWS::SecretsManager::RotationSchedule: which function rotates a secret, and when. Its Ref is the secret's ARN."""

import hashlib
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, STRING, Refused, fields
from mayfly.services.stacks.resources.secretsmanager.secret import GONE


class RotationSchedule(Unnamed):
    name = "AWS::SecretsManager::RotationSchedule"
    schema = fields(
        "SecretId",
        SecretId=STRING,
        RotationLambdaARN=STRING,
        RotationRules=fields(AutomaticallyAfterDays=INTEGER, Duration=STRING, ScheduleExpression=STRING),
        RotateImmediatelyOnUpdate=BOOLEAN,
        HostedRotationLambda=Refused("The functions that AWS has for databases of its own are not here: give yours."),
        ExternalSecretRotationMetadata=Refused("Mayfly keeps no secrets of others."),
        ExternalSecretRotationRoleArn=Refused("Mayfly keeps no secrets of others."),
    )
    replaced_by = frozenset({"SecretId"})
    attributes = frozenset({"Id"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        return await self._rotate(call, target, properties)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return await self._rotate(call, target, new)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        """Nothing is to be cancelled where the secret goes, or is gone."""
        secret = properties["SecretId"]
        await call.unless(f"{GONE} InvalidRequestException", "secretsmanager", "CancelRotateSecret", SecretId=secret)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "secretsmanager", "DescribeSecret", SecretId=made.physical_id)
        if found is None or not found.get("RotationEnabled"):
            return None
        truth = {"RotationLambdaARN": found["RotationLambdaARN"], "RotationRules": found["RotationRules"] or None}
        return observed(properties, truth, "SecretId", "RotateImmediatelyOnUpdate")

    async def _rotate(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        """Set it, and rotate now unless the template says otherwise, or a rotation is under way already."""
        seed = f"{target.stack_id}\0{target.logical_id}\0{call.operation_id}"
        given: dict[str, Any] = {
            "SecretId": properties["SecretId"],
            "RotationLambdaARN": properties.get("RotationLambdaARN"),
            "RotationRules": properties.get("RotationRules"),
            "ClientRequestToken": hashlib.sha256(seed.encode()).hexdigest()[:32],
        }
        given = {name: value for name, value in given.items() if value is not None}
        now = properties.get("RotateImmediatelyOnUpdate", True)
        reply = await call.unless(
            "InvalidRequestException" if now else "", "secretsmanager", "RotateSecret", **given, RotateImmediately=now
        )
        if reply is None:
            reply = await call("secretsmanager", "RotateSecret", **given, RotateImmediately=False)
        return Made(reply["ARN"], {"Id": reply["ARN"]})
