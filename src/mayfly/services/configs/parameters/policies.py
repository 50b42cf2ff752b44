"""Policies of advanced parameters: expiry, and notices before it or when nothing changed. Pure.

Read when a parameter is put, into moments; what happens then, `expiry` does.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, cast

from mayfly.services.configs.parameters.model import Policy
from mayfly.services.contract import ServiceError

MOST = 10
_UNITS_S: Final = {"Days": 86_400.0, "Hours": 3600.0}
_KINDS: Final = {"Expiration": {"Timestamp"}, "ExpirationNotification": {"Before", "Unit"}, "NoChangeNotification": {"After", "Unit"}}  # fmt: skip  # noqa: E501


def parse(text: str, now: float) -> tuple[Policy, ...]:
    """The policies of a parameter that is put now; none for `[{}]`. `ServiceError`."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise _wrong("the Policies of a parameter are a JSON array of objects") from None
    listed = given if isinstance(given, list) else [given]
    if not all(isinstance(one, dict) for one in listed):
        raise _wrong("the Policies of a parameter are a JSON array of objects")
    listed = [one for one in listed if one]
    if len(listed) > MOST:
        raise ServiceError("PoliciesLimitExceededException", f"A parameter can have at most {MOST} policies.")
    expires_at = [_moment(one) for one in listed if one.get("Type") == "Expiration"]
    if len(expires_at) > 1:
        raise ServiceError("IncompatiblePolicyException", "A parameter can have one Expiration policy.")
    return tuple(_policy(one, expires_at, now) for one in listed)


def first_due(policies: Sequence[Policy]) -> float | None:
    """When the next of them is due."""
    return min((one.due_at for one in policies if not one.done), default=None)


def _policy(given: dict[str, Any], expires_at: Sequence[float], now: float) -> Policy:
    kind, attributes = given.get("Type"), given.get("Attributes")
    if kind not in _KINDS:
        raise ServiceError("InvalidPolicyTypeException", f"{kind!r} is no type of a parameter's policy.")
    if given.get("Version", "1.0") != "1.0" or not isinstance(attributes, dict) or set(attributes) != _KINDS[kind]:
        wanted = ", ".join(sorted(_KINDS[kind]))
        raise _wrong(f"a policy of the type {kind} has the Version 1.0 and the attributes {wanted}")
    return Policy(
        cast(Literal["Expiration", "ExpirationNotification", "NoChangeNotification"], kind),
        json.dumps(given, separators=(",", ":")),
        _due(kind, attributes, given, expires_at, now),
    )


def _due(
    kind: str, attributes: dict[str, Any], given: dict[str, Any], expires_at: Sequence[float], now: float
) -> float:
    if kind == "Expiration":
        moment = _moment(given)
        if moment <= now:
            raise _wrong("the Timestamp of an Expiration policy lies in the future")
        return moment
    span_s = _span(attributes["After" if kind == "NoChangeNotification" else "Before"], attributes["Unit"])
    if kind == "NoChangeNotification":
        return now + span_s
    if not expires_at:
        raise ServiceError(
            "IncompatiblePolicyException", "An ExpirationNotification policy needs an Expiration policy."
        )
    return max(now, expires_at[0] - span_s)


def _span(value: Any, unit: Any) -> float:
    if unit not in _UNITS_S or not str(value).isdecimal() or not 1 <= int(value) <= 36_500:
        raise _wrong("Before and After are whole numbers, and their Unit is Days or Hours")
    return int(value) * _UNITS_S[unit]


def _moment(given: dict[str, Any]) -> float:
    attributes = given.get("Attributes")
    text = attributes.get("Timestamp") if isinstance(attributes, dict) else None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise _wrong("the Timestamp of an Expiration policy is ISO 8601, 2026-12-31T23:00:00.000Z") from None
    if moment.tzinfo is None:
        raise _wrong("the Timestamp of an Expiration policy says its offset from UTC, or Z")
    return moment.timestamp()


def _wrong(why: str) -> ServiceError:
    return ServiceError("InvalidPolicyAttributeException", f"The policy is not valid: {why}.")
