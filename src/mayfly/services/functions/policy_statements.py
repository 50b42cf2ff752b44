"""Statements of a resource policy that somebody wrote as a document: what of IAM's language is understood, and whether
a statement applies to a call. Pure.

What cannot be judged is refused when the policy is put, with the reason, so that every statement that is stored is
judged exactly: principals (accounts, ARNs, services), actions and their negation, and conditions on the keys that are
known of a call. As in IAM, a condition on a key that the call does not have holds only if it is negated, or ends in
`IfExists`; patterns have `*` and `?`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from mayfly.policy.wildcards import like
from mayfly.services.functions import faults

INVOCATIONS: Final = "lambda:invoke"  # all actions that begin like that are calls

_TOP_LEVEL = {"Version", "Id", "Statement"}
_MEMBERS = {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "Condition"}
_KEYS = frozenset(
    {
        "aws:sourcearn",
        "aws:sourceaccount",
        "aws:principalarn",
        "aws:principalaccount",
        "aws:principalservicename",
        "aws:principalisawsservice",
        "aws:principalorgid",  # never there
        "lambda:eventsourcetoken",  # never there
        "lambda:functionurlauthtype",
        "lambda:invokedviafunctionurl",
    }
)
_OPERATORS = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "Bool"})
_SESSION = re.compile(r"arn:([^:]+):sts::(\d{12}):assumed-role/([^/]+)/.+")
_ROLE = re.compile(r"arn:[^:]+:iam::(\d{12}):role/(?:.*/)?([^/]+)")


class Subject(NamedTuple):
    """Whom and what a statement is about."""

    action: str
    principal: str  # a service, an ARN, or "*" for nobody in particular
    facts: Mapping[str, str]  # what conditions may ask for, by the key in small letters


class Parsed(NamedTuple):
    """A policy, checked: each statement as JSON text, with its Sid ("" where it has none)."""

    identifier: str
    statements: tuple[tuple[str, str], ...]


def parse(text: str, arn: str) -> Parsed:
    """A policy for the function, version or alias `arn`; `ServiceError` for what is none, or cannot be judged."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise faults.invalid_parameter("The provided policy is not valid JSON.") from error
    if not isinstance(document, dict):
        raise _wrong("it is not an object")
    if unknown := set(document) - _TOP_LEVEL:
        raise _wrong(f"it has the field {min(unknown)}")
    if document.get("Version", "2012-10-17") != "2012-10-17":
        raise _wrong("Version is 2012-10-17")
    given = document.get("Statement")
    statements: list[Any] = given if isinstance(given, list) else [given]
    if given is None or not statements:
        raise _wrong("it has no Statement")
    found, sids = [], set[str]()
    for statement in statements:
        _check(statement, arn)
        sid = statement.get("Sid", "")
        if sid and sid in sids:
            raise _wrong(f"the Sid {sid} stands twice")
        sids.add(sid)
        found.append((sid, json.dumps(statement, separators=(",", ":"))))
    return Parsed(str(document.get("Id", "default")), tuple(found))


def applies(statement: Mapping[str, Any], subject: Subject) -> bool:
    """Whether a statement that `parse` let pass is about this call."""
    return (
        _acts(statement, subject.action)
        and _names(statement["Principal"], subject.principal)
        and all(
            _holds(operator, subject.facts.get(key.lower()), _texts(wanted))
            for operator, tests in statement.get("Condition", {}).items()
            for key, wanted in tests.items()
        )
    )


def _check(statement: Any, arn: str) -> None:
    if not isinstance(statement, dict):
        raise _wrong("a statement is not an object")
    if unknown := set(statement) - _MEMBERS:
        raise _wrong(f"{min(unknown)} of a statement cannot be evaluated")
    if not isinstance(statement.get("Sid", ""), str) or statement.get("Effect") not in ("Allow", "Deny"):
        raise _wrong("a statement has an Effect, Allow or Deny, and its Sid is a text")
    if ("Action" in statement) == ("NotAction" in statement):
        raise _wrong("a statement has either Action or NotAction")
    _check_actions(statement)
    _check_principal(statement.get("Principal"))
    if any(resource != arn for resource in _strings(statement.get("Resource"), "Resource")):
        raise _wrong(f"the Resource of a statement is {arn}")
    _check_conditions(statement.get("Condition", {}))


def _check_actions(statement: Mapping[str, Any]) -> None:
    actions = _strings(statement.get("Action", statement.get("NotAction")), "Action")
    if not all(action == "*" or action.lower().startswith("lambda:") for action in actions):
        raise _wrong("actions are those of lambda")
    calls = all(action.lower().startswith(INVOCATIONS) for action in actions)
    if statement["Effect"] == "Deny" and ("NotAction" in statement or not calls):
        raise _wrong("what can be denied is lambda:InvokeFunction, lambda:InvokeFunctionUrl and lambda:Invoke*")


def _check_principal(principal: Any) -> None:
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal or not set(principal) <= {"AWS", "Service"}:
        raise _wrong('a Principal is "*", or has AWS or Service')
    for kind, names in principal.items():
        for name in _strings(names, f"Principal.{kind}"):
            if name != "*" and "*" in name:
                raise _wrong(f"the principal {name} has a wildcard")


def _check_conditions(conditions: Any) -> None:
    if not isinstance(conditions, dict) or not all(isinstance(tests, dict) for tests in conditions.values()):
        raise _wrong("a Condition is an object of operators, each with keys")
    for operator, tests in conditions.items():
        base = operator.removesuffix("IfExists").replace("Not", "", 1)
        if operator != "Null" and (base not in _OPERATORS or "BoolNot" in operator or operator.startswith("NotBool")):
            raise _wrong(f"the condition operator {operator} cannot be evaluated")
        for key, wanted in tests.items():
            if key.lower() not in _KEYS:
                raise _wrong(f"the condition key {key} cannot be evaluated")
            if any("${" in text for text in _texts(wanted)):
                raise _wrong("policy variables cannot be evaluated")


def _strings(value: Any, member: str) -> tuple[str, ...]:
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(one, str) for one in found):
        raise _wrong(f"{member} is a text, or a list of them")
    return tuple(found)


def _texts(value: Any) -> tuple[str, ...]:
    """Values of a condition: texts, and what stands for them."""
    found = value if isinstance(value, list) else [value]
    return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in found)


def _wrong(what: str) -> Exception:
    return faults.invalid_parameter(f"The provided policy cannot be used: {what}.")


def _acts(statement: Mapping[str, Any], action: str) -> bool:
    if "Action" in statement:
        return any(like(pattern.lower(), action.lower()) for pattern in _texts(statement["Action"]))
    return not any(like(pattern.lower(), action.lower()) for pattern in _texts(statement["NotAction"]))


def _names(principal: Any, who: str) -> bool:
    if principal == "*":
        return True
    if any(name == who for name in _texts(principal.get("Service", []))):
        return True
    return any(name == "*" or is_named(name, who) for name in _texts(principal.get("AWS", [])))


def is_named(name: str, who: str) -> bool:
    """Whether an ARN or an account names somebody: an account all of its own, a role its sessions."""
    account = who.split(":")[4] if who.count(":") >= 5 else ""
    if account and name in (account, f"arn:{who.split(':')[1]}:iam::{account}:root"):
        return True
    session, role = _SESSION.fullmatch(who), _ROLE.fullmatch(name)
    return name == who or (session is not None and role is not None and session.groups()[1:] == role.groups())


def _holds(operator: str, fact: str | None, wanted: tuple[str, ...]) -> bool:
    if operator == "Null":
        return (fact is None) == ("true" in wanted)
    base, optional = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    negated = "Not" in base
    if fact is None:
        return optional or negated
    return any(_same(base.replace("Not", "", 1), fact, text) for text in wanted) != negated


def _same(operator: str, fact: str, text: str) -> bool:
    if operator in ("StringEquals", "Bool"):
        return fact == text
    if operator == "StringEqualsIgnoreCase":
        return fact.lower() == text.lower()
    return arn_like(text, fact) if operator.startswith("Arn") else like(text, fact)


def arn_like(pattern: str, arn: str | None) -> bool:
    """IAM's ArnLike: the six parts are compared one by one; `*` and `?` match within a part, and the last part may
    hold further colons."""
    if arn is None:
        return False
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(map(like, patterns, parts))
