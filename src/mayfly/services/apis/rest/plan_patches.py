"""Patches of usage plans, which have paths for stages and for methods of stages. Pure; `ServiceError`."""

from typing import Any

import msgspec

from mayfly.services.apis.rest import faults
from mayfly.services.apis.rest.model import UsagePlan
from mayfly.services.apis.rest.patching import Patch, integer, number

_PERIODS = ("DAY", "WEEK", "MONTH")
_MOST_OFFSET = {"DAY": 0, "WEEK": 6, "MONTH": 27}


def checked(members: dict[str, Any]) -> UsagePlan:
    """The plan of its members."""
    try:
        plan = msgspec.convert({name: one for name, one in members.items() if one is not None}, UsagePlan)
    except msgspec.ValidationError as error:
        raise faults.bad_request(f"Invalid usage plan: {error}") from None
    if not plan.name:
        raise faults.bad_request("Usage plan name cannot be blank")
    quota = plan.quota
    if quota is not None:
        if quota.period not in _PERIODS:
            raise faults.bad_request(f"Invalid quota period specified. Valid options are {','.join(_PERIODS)}")
        if quota.limit < 0:
            raise faults.bad_request("Usage Plan quota limit must be greater than or equal to zero")
        if not 0 <= quota.offset <= _MOST_OFFSET[quota.period]:
            raise faults.bad_request(
                f"Usage Plan quota offset must be between 0 and {_MOST_OFFSET[quota.period]} for {quota.period} period"
            )
    throttles = [plan.throttle, *[one for stage in plan.api_stages for one in (stage.throttle or {}).values()]]
    if any(one is not None and (one.rate_limit < 0 or one.burst_limit < 0) for one in throttles):
        raise faults.bad_request("Usage Plan throttle limits must be greater than or equal to zero")
    return plan


def apply(members: dict[str, Any], patch: Patch) -> None:
    """One patch."""
    names = patch.names
    if patch.path in ("/name", "/description", "/productCode"):
        members[names[0]] = patch.value if patch.op != "remove" else None
    elif names[0] in ("throttle", "quota"):
        _limits(members, patch)
    elif patch.path == "/apiStages":
        _stage(members, patch)
    elif names[0] == "apiStages" and len(names) >= 3 and names[2] == "throttle":
        _method(members, patch)
    else:
        raise faults.bad_request(f"Invalid patch path {patch.path}")


def _limits(members: dict[str, Any], patch: Patch) -> None:
    kind, rest = patch.names[0], patch.names[1:]
    if not rest:
        if patch.op != "remove":
            raise faults.bad_request(f"Invalid patch path {patch.path}")
        members[kind] = None
        return
    converts: dict[str, Any] = {
        "throttle": {"burstLimit": integer("burstLimit"), "rateLimit": number("rateLimit")},
        "quota": {"limit": integer("limit"), "offset": integer("offset"), "period": lambda value: value or ""},
    }
    convert = converts[kind].get(rest[0])
    if convert is None or patch.op not in ("add", "replace"):
        raise faults.bad_request(f"Invalid patch path {patch.path}")
    usual = {"limit": 0, "period": "DAY", "offset": 0} if kind == "quota" else {}
    members[kind] = {**usual, **(members.get(kind) or {}), rest[0]: convert(patch.value)}


def _stage(members: dict[str, Any], patch: Patch) -> None:
    api_id, _, stage = (patch.value or "").partition(":")
    held = [one for one in members.get("apiStages", ()) if (one["apiId"], one["stage"]) != (api_id, stage)]
    if patch.op == "add":
        held.append({"apiId": api_id, "stage": stage})
    elif patch.op != "remove":
        raise faults.bad_request("Invalid patch operation specified. Must be 'add'|'remove'")
    members["apiStages"] = held


def _method(members: dict[str, Any], patch: Patch) -> None:
    """`/apiStages/api:stage/throttle/path/METHOD/rateLimit`, where the path may have slashes of its own."""
    names = patch.names
    api_id, _, stage = names[1].partition(":")
    held = [dict(one) for one in members.get("apiStages", ())]
    found = next((one for one in held if (one["apiId"], one["stage"]) == (api_id, stage)), None)
    if found is None:
        raise faults.not_found(f"Invalid API Stage {{api: {api_id}, stage: {stage}}} specified")
    throttles = dict(found.get("throttle") or {})
    if names[-1] in ("rateLimit", "burstLimit") and patch.op != "remove":
        convert = number("rateLimit") if names[-1] == "rateLimit" else integer("burstLimit")
        key = "/".join(names[3:-1])
        throttles[key] = {**throttles.get(key, {}), names[-1]: convert(patch.value)}
    elif patch.op == "remove":
        throttles.pop("/".join(names[3:]), None)
        if len(names) == 3:
            throttles = {}
    else:
        raise faults.bad_request(f"Invalid patch path {patch.path}")
    found["throttle"] = throttles or None
    members["apiStages"] = [{name: one for name, one in stage.items() if one is not None} for stage in held]
