"""Secrets as replies show them. Pure."""

from typing import Any

from mayfly.clock import utc
from mayfly.services.configs.secrets.model import Place, Rotation, Secret, Version

DEFAULT_KEY = "DefaultEncryptionKey"


def brief(place: Place, secret: Secret, **more: Any) -> dict[str, Any]:
    """What most replies begin with."""
    return {"ARN": place.arn(secret.suffix), "Name": secret.name, **more}


def described(place: Place, secret: Secret) -> dict[str, Any]:
    """A SecretListEntry but for its versions, and the reply of DescribeSecret but for those."""
    shown = brief(place, secret, CreatedDate=utc(secret.created_at), LastChangedDate=utc(secret.changed_at))
    texts = {"Description": secret.description, "KmsKeyId": secret.key_id}
    shown |= {name: text for name, text in texts.items() if text}
    moments = {
        "LastAccessedDate": secret.accessed_at,
        "LastRotatedDate": secret.rotated_at,
        "DeletedDate": secret.deleted_at,
    }
    shown |= {name: utc(moment) for name, moment in moments.items() if moment is not None}
    if secret.tags:
        shown["Tags"] = [{"Key": key, "Value": value} for key, value in secret.tags.items()]
    if secret.rotation is not None:
        shown |= _rotation(secret.rotation)
    return shown


def stages_of(secret: Secret) -> dict[str, list[str]]:
    """Versions by their ids, of those that have a stage."""
    return {one.id: list(one.stages) for one in secret.versions if one.stages}


def version(one: Version, key_id: str) -> dict[str, Any]:
    """A SecretVersionsListEntry."""
    shown: dict[str, Any] = {
        "VersionId": one.id,
        "CreatedDate": utc(one.created_at),
        "KmsKeyIds": [key_id or DEFAULT_KEY],
    }
    if one.stages:
        shown["VersionStages"] = list(one.stages)
    if one.accessed_at is not None:
        shown["LastAccessedDate"] = utc(one.accessed_at)
    return shown


def _rotation(rotation: Rotation) -> dict[str, Any]:
    rules = {
        "AutomaticallyAfterDays": rotation.after_days,
        "ScheduleExpression": rotation.schedule,
        "Duration": rotation.duration,
    }
    shown: dict[str, Any] = {
        "RotationEnabled": rotation.enabled,
        "RotationLambdaARN": rotation.function,
        "RotationRules": {name: value for name, value in rules.items() if value is not None},
    }
    if rotation.enabled and rotation.next_at is not None:
        shown["NextRotationDate"] = utc(rotation.next_at)
    return shown
