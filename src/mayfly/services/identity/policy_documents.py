"""Policy documents: parsed, validated with IAM's messages, and turned into statements. Pure.

Two grammars share one file format: a *permissions* policy says what may be done to which resources; a *trust* policy
says who may assume the role that it stands on. Permissions policies are checked here and evaluated nowhere yet.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mayfly.services.identity.faults import malformed

_VERSIONS = ("2008-10-17", "2012-10-17")
_TOP_LEVEL = {"Version", "Id", "Statement"}
_STATEMENT = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
_PRINCIPAL_KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
_AWS_PRINCIPAL = re.compile(r"\*|\d{12}|arn:aws:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/.+)")
_SERVICE_PRINCIPAL = re.compile(r"[a-z0-9][a-z0-9.-]*\.amazonaws\.com")
_SYNTAX = "Syntax errors in policy."


class Statement(NamedTuple):
    """One statement. Of `actions` and `not_actions`, and likewise of the others, one is empty."""

    allows: bool  # False: denies
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    principals: Mapping[str, tuple[str, ...]]  # by kind: "AWS", "Service"; `"*"` is {"AWS": ("*",)}
    not_principals: Mapping[str, tuple[str, ...]]
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]]  # operator → key → values


def check_permissions_policy(text: str) -> None:
    """Raise `ServiceError` MalformedPolicyDocument unless `text` is a permissions policy."""
    for statement in _statements(text):
        if "Principal" in statement or "NotPrincipal" in statement:
            raise malformed("Policy document should not specify a principal.")
        if ("Action" in statement) == ("NotAction" in statement):
            raise malformed("Policy statement must contain actions.")
        if ("Resource" in statement) == ("NotResource" in statement):
            raise malformed("Policy statement must contain resources.")
        actions = _strings(statement.get("Action", statement.get("NotAction")))
        resources = _strings(statement.get("Resource", statement.get("NotResource")))
        if not actions:
            raise malformed("Policy statement must contain actions.")
        if not resources:
            raise malformed("Policy statement must contain resources.")
        for action in actions:
            if action != "*" and not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9*?-]+", action):
                raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        for resource in resources:
            if resource != "*" and not resource.startswith("arn:"):
                raise malformed(f'Resource {resource} must be in ARN format or "*".')
        _conditions(statement)


def parse_trust_policy(text: str) -> tuple[Statement, ...]:
    """The statements of a trust policy; `ServiceError` MalformedPolicyDocument."""
    return tuple(_trust_statement(statement) for statement in _statements(text))


def _trust_statement(statement: dict[str, Any]) -> Statement:
    for prohibited in ("Resource", "NotResource"):
        if prohibited in statement:
            raise malformed(f"Has prohibited field {prohibited}")
    if ("Principal" in statement) == ("NotPrincipal" in statement):
        raise malformed("Missing required field Principal")
    if ("Action" in statement) == ("NotAction" in statement):
        raise malformed("Missing required field Action")
    actions = _strings(statement.get("Action", []))
    not_actions = _strings(statement.get("NotAction", []))
    for action in actions + not_actions:
        if not action.lower().startswith("sts:"):
            raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    return Statement(
        statement["Effect"] == "Allow",
        actions,
        not_actions,
        _principals(statement.get("Principal", {})),
        _principals(statement.get("NotPrincipal", {})),
        _conditions(statement),
    )


def _statements(text: str) -> list[dict[str, Any]]:
    document = _json_object(text)
    if unknown := set(document) - _TOP_LEVEL:
        raise malformed(f"{_SYNTAX} Unknown field {min(unknown)}")
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise malformed("Policy document must be version 2012-10-17 or greater.")
    if "Statement" not in document:
        raise malformed("Missing required field Statement")
    statements = document["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise malformed(_SYNTAX)
    seen: set[str] = set()
    for statement in statements:
        _check_common(statement, seen)
    return statements


def _check_common(statement: Any, seen: set[str]) -> None:
    """The rules that both grammars share; `seen` gathers the statement ids."""
    if not isinstance(statement, dict):
        raise malformed(_SYNTAX)
    if unknown := set(statement) - _STATEMENT:
        raise malformed(f"{_SYNTAX} Unknown field {min(unknown)}")
    if "Effect" not in statement:
        raise malformed("Missing required field Effect")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise malformed(f"Invalid effect: {statement['Effect']}")
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        raise malformed(_SYNTAX)
    if sid and sid in seen:
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    seen.add(sid)


def _json_object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise malformed("This policy contains invalid Json") from error
    if not isinstance(document, dict):
        raise malformed(_SYNTAX)
    return document


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise malformed(f"{_SYNTAX} A field stands twice in one object.")
    return found


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise malformed(_SYNTAX)


def _principals(value: Any) -> dict[str, tuple[str, ...]]:
    if value == "*":
        return {"AWS": ("*",)}
    if not isinstance(value, dict):
        raise malformed(f'Invalid principal in policy: "{value}"' if isinstance(value, str) else _SYNTAX)
    found = {}
    for kind, names in value.items():
        if kind not in _PRINCIPAL_KINDS:
            raise malformed(f'Invalid principal in policy: "{kind}"')
        found[kind] = _strings(names)
        form = {"AWS": _AWS_PRINCIPAL, "Service": _SERVICE_PRINCIPAL}.get(kind)
        for name in found[kind]:
            if form is not None and not form.fullmatch(name):
                raise malformed(f'Invalid principal in policy: "{kind.upper()}":"{name}"')
    return found


def _conditions(statement: dict[str, Any]) -> dict[str, dict[str, tuple[str, ...]]]:
    value = statement.get("Condition", {})
    if not isinstance(value, dict):
        raise malformed(_SYNTAX)
    found = {}
    for operator, tests in value.items():
        if not isinstance(tests, dict):
            raise malformed(_SYNTAX)
        found[operator] = {key: _condition_values(values) for key, values in tests.items()}
    return found


def _condition_values(value: Any) -> tuple[str, ...]:
    """Values of a condition as the strings that they are compared as: numbers and booleans may stand unquoted."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | bool | int | float) for item in values):
        raise malformed(_SYNTAX)
    return tuple(item if isinstance(item, str) else json.dumps(item) for item in values)
