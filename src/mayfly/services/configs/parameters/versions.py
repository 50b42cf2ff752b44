"""What putting a parameter makes of it: the decision, with AWS's rules for tiers, sizes and versions. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from mayfly.services.configs.parameters import faults, policies
from mayfly.services.configs.parameters.model import DEFAULT_KEY, Kind, Parameter, Tier, Version
from mayfly.services.contract import ServiceError

MOST_VERSIONS = 100
MOST_TAGS = 50
STANDARD_BYTES, ADVANCED_BYTES = 4096, 8192


class Change(NamedTuple):
    """The parameter as it is to be, and the number of the version that gives way, if one does."""

    parameter: Parameter
    dropped: int | None


def changed(before: Parameter | None, params: Mapping[str, Any], by: str, now: float) -> Change:
    """What PutParameter makes of `before`; `ServiceError`."""
    if before is not None and not params.get("Overwrite", False):
        raise faults.exists()
    if params.get("Overwrite", False) and params.get("Tags"):
        raise faults.validation(faults.TAGS_WITH_OVERWRITE)
    latest = before.latest if before is not None else None
    version = _version(latest, params, by, now)
    if before is None:
        return Change(Parameter(params["Name"], (version,), tags_of(params.get("Tags", ()), {})), None)
    kept, dropped = before.versions, None
    if len(kept) >= MOST_VERSIONS:
        if kept[0].labels:
            raise faults.oldest_is_labelled(before.name, kept[0].number)
        kept, dropped = kept[1:], kept[0].number
    return Change(msgspec.structs.replace(before, versions=(*kept, version)), dropped)


def tags_of(given: Any, before: Mapping[str, str]) -> dict[str, str]:
    """`before` with the tags that a request gives; `ServiceError` where those are too many."""
    tags = {**before, **{tag["Key"]: tag["Value"] for tag in given}}
    if len(tags) > MOST_TAGS:
        raise ServiceError("TooManyTagsError", f"A parameter can have at most {MOST_TAGS} tags.")
    return tags


def _version(latest: Version | None, params: Mapping[str, Any], by: str, now: float) -> Version:
    """What is not named stays as it was, but for the policies' moments, which count from now."""
    kind: Kind | None = params.get("Type", latest.kind if latest is not None else None)
    if kind is None:
        raise faults.validation("A parameter type is required when you create a parameter.")
    _check_value(kind, params["Value"])
    text = params.get("Policies")
    if text is None and latest is not None and latest.policies:
        text = f"[{','.join(one.text for one in latest.policies if one.kind != 'Expiration' or one.due_at > now)}]"
    found = policies.parse(text, now) if text is not None else ()
    tier = _tier(latest, params.get("Tier"), len(params["Value"].encode()), policies_given=bool(found))
    key_id = params.get("KeyId", latest.key_id if latest is not None and latest.key_id else DEFAULT_KEY)
    if kind != "SecureString" and "KeyId" in params:
        raise faults.validation("KeyId is required for SecureString type parameter only.")
    if key_id.rpartition(":")[2] != DEFAULT_KEY:
        raise ServiceError(
            "InvalidKeyId",
            f"A key of your own needs a key management service, which Mayfly does not have: {DEFAULT_KEY} is its own.",
        )
    return Version(
        number=latest.number + 1 if latest is not None else 1,
        kind=kind,
        at=now,
        by=by,
        tier=tier,
        description=params.get("Description", latest.description if latest is not None else ""),
        pattern=params.get("AllowedPattern", ""),
        key_id=key_id if kind == "SecureString" else "",
        data_type=_data_type(params.get("DataType", latest.data_type if latest is not None else "text")),
        policies=found,
    )


def _check_value(kind: Kind, value: str) -> None:
    if not value:
        raise faults.validation(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1."
        )
    if kind == "StringList" and not all(value.split(",")):
        raise faults.validation("The items of a StringList are apart by commas, and none of them is empty.")


def _tier(latest: Version | None, asked: Tier | None, size: int, *, policies_given: bool) -> Tier:
    """The tier of what is put; `ServiceError` where it is too little for it."""
    advanced = latest is not None and latest.tier == "Advanced"
    if asked == "Standard" and advanced:
        raise faults.validation(faults.TIER_KEPT)
    if asked == "Intelligent-Tiering":
        asked = "Advanced" if size > STANDARD_BYTES or policies_given else None
    tier: Tier = "Advanced" if asked == "Advanced" or advanced else "Standard"
    if policies_given and tier != "Advanced":
        raise faults.validation("Parameter policies are only supported for parameters of the advanced-parameter tier.")
    limit = ADVANCED_BYTES if tier == "Advanced" else STANDARD_BYTES
    if size > limit:
        raise faults.too_long(tier, limit)
    return tier


def _data_type(asked: str) -> str:
    if asked == "text":
        return asked
    if asked in ("aws:ec2:image", "aws:ssm:integration"):
        raise faults.validation(f"Mayfly has nothing that parameters of the data type {asked} could name: use text.")
    raise faults.validation(f"The following data type is not supported: {asked} (Data type names are all lowercase.)")
