"""Stack policies: which changes of which resources an update may make. Pure.

A policy is a list of statements over logical ids; once there is one, what nothing allows is denied, and a denial wins.
Source: CloudFormation user guide, "Prevent updates to stack resources".
"""

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from mayfly.services.stacks.faults import validation

MOST_BYTES: Final = 16384
_MEMBERS = {"Effect", "Action", "NotAction", "Principal", "Resource", "NotResource", "Condition", "Sid"}
_PREFIX = "LogicalResourceId/"


def parse(text: str) -> str:
    """The policy as it was given, checked; `ServiceError` ValidationError."""
    if len(text.encode()) > MOST_BYTES:
        raise validation(f"Error validating stack policy: Invalid stack policy size, at most {MOST_BYTES} bytes")
    try:
        policy = json.loads(text)
    except ValueError as error:
        raise validation("Error validating stack policy: Invalid stack policy") from error
    statements = _statements(policy)
    if statements is None:
        raise validation("Error validating stack policy: Invalid stack policy")
    for item in statements:
        _check(item)
    return text


def _statements(policy: Any) -> Sequence[Mapping[str, Any]] | None:
    found = policy.get("Statement") if isinstance(policy, dict) else None
    found = [found] if isinstance(found, dict) else found
    return found if isinstance(found, list) and all(isinstance(item, dict) for item in found) else None


def _check(item: Mapping[str, Any]) -> None:
    if unknown := sorted(set(item) - _MEMBERS):
        raise validation(f"Error validating stack policy: Unknown element {unknown[0]}")
    if item.get("Effect") not in ("Allow", "Deny"):
        raise validation("Error validating stack policy: Effect must be Allow or Deny")
    if ("Action" in item) == ("NotAction" in item) or ("Resource" in item) == ("NotResource" in item):
        raise validation("Error validating stack policy: A statement has one of Action and NotAction, and one of "
                         "Resource and NotResource")  # fmt: skip
    if item.get("Principal") not in ("*", {"AWS": "*"}):
        raise validation("Error validating stack policy: Principal must be *")
    for action in _list(item.get("Action", item.get("NotAction"))):
        if action != "*" and not str(action).startswith("Update:"):
            raise validation(f"Error validating stack policy: Invalid action {action}")
    for resource in _list(item.get("Resource", item.get("NotResource"))):
        if resource != "*" and not str(resource).startswith(_PREFIX):
            raise validation(f"Error validating stack policy: Unknown logical id '{resource}' in statement {{}}")
    for operator, keys in item.get("Condition", {}).items():
        known = operator in ("StringEquals", "StringLike") and isinstance(keys, dict)
        if not known or set(keys) != {"ResourceType"}:
            raise validation("Error validating stack policy: A Condition is StringEquals or StringLike of ResourceType")


def objection(policy: str, action: str, logical_id: str, kind: str) -> str | None:
    """Why `action` ("Update:Replace") may not be done to a resource of type `kind`; None: it may be."""
    if not policy:
        return None
    allowed = False
    for number, item in enumerate(_statements(json.loads(policy)) or (), 1):
        if not _matches(item, action, logical_id, kind):
            continue
        if item["Effect"] == "Deny":
            return f"Action denied by stack policy: Statement [#{number}] does not allow [{action}] for resource " \
                   f"[{_PREFIX}{logical_id}]"  # fmt: skip
        allowed = True
    if allowed:
        return None
    return f"Action not allowed by stack policy: no statement allows [{action}] for resource [{_PREFIX}{logical_id}]"


def _matches(item: Mapping[str, Any], action: str, logical_id: str, kind: str) -> bool:
    actions = any(fnmatchcase(action, pattern) for pattern in _list(item.get("Action", item.get("NotAction"))))
    names = _list(item.get("Resource", item.get("NotResource")))
    resources = any(fnmatchcase(f"{_PREFIX}{logical_id}", pattern) for pattern in names)
    if actions == ("NotAction" in item) or resources == ("NotResource" in item):
        return False
    for operator, keys in item.get("Condition", {}).items():
        wanted = _list(keys["ResourceType"])
        if not any(kind == one or (operator == "StringLike" and fnmatchcase(kind, one)) for one in wanted):
            return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
