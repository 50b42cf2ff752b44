"""Access policies of topics: the one that every topic begins with, its statements by label, and what is denied. Pure.

Within one account everybody may publish whom no statement denies it, so only `Deny` is evaluated.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.topics import faults

MAX_BYTES = 30 * 1024
_ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)
_MORE_ACTIONS = ("Receive", "Unsubscribe", "GetDataProtectionPolicy", "PutDataProtectionPolicy")
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": fnmatchcase,
    "Bool": str.__eq__,
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
}


def default(topic_arn: str, account: str) -> str:
    """The policy of a topic that was given none."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _ACTIONS],
        "Resource": topic_arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    return _text({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


def checked(text: str) -> str:
    """`text`, if it is a policy."""
    document = _document(text)
    if len(text.encode()) > MAX_BYTES:
        raise _wrong("it is too long")
    for statement in _statements(document):
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise _wrong("every statement has an Effect, Allow or Deny")
        if not any(key in statement for key in ("Action", "NotAction")):
            raise _wrong("every statement has an Action")
        if not any(key in statement for key in ("Principal", "NotPrincipal")):
            raise _wrong("every statement has a Principal")
    return text


def with_permission(text: str, topic_arn: str, label: str, accounts: Iterable[str], actions: Iterable[str]) -> str:
    """The policy with a statement of AddPermission more."""
    document = _document(text)
    statements = _statements(document)
    if any(isinstance(one, dict) and one.get("Sid") == label for one in statements):
        raise faults.invalid("Statement already exists")
    wanted = list(actions)
    for action in wanted:
        if action != "*" and action not in (*_ACTIONS, *_MORE_ACTIONS):
            raise faults.invalid("Policy statement action out of service scope!")
    principals = []
    for account in accounts:
        if not (len(account) == 12 and account.isdecimal()):
            raise faults.invalid(f"AWSAccountId: {account!r} is not an account id of twelve digits")
        principals.append(f"arn:aws:iam::{account}:root")
    if not principals or not wanted or not label:
        raise faults.invalid("Label, AWSAccountId and ActionName must not be empty")
    named = [f"SNS:{action}" for action in wanted]
    added = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
        "Action": named[0] if len(named) == 1 else named,
        "Resource": topic_arn,
    }
    return checked(_text({**document, "Statement": [*statements, added]}))


def without_permission(text: str, label: str) -> str:
    """The policy without the statement of that label."""
    document = _document(text)
    statements = _statements(document)
    kept = [one for one in statements if not (isinstance(one, dict) and one.get("Sid") == label)]
    if len(kept) == len(statements):
        raise faults.invalid("Label: there is no statement with this label")
    return _text({**document, "Statement": kept})


def denies(text: str | None, principal: str, action: str, source_arn: str, source_account: str) -> bool:
    """Whether a statement denies `principal` (a service, or an ARN) `action` on behalf of `source_arn`."""
    if text is None or "Deny" not in text:
        return False
    facts = {
        "aws:sourcearn": source_arn,
        "aws:sourceaccount": source_account,
        "aws:sourceowner": source_account,
        "aws:principalservicename": principal,
        "aws:securetransport": "true",  # it never leaves the platform
    }
    return any(
        isinstance(statement, dict)
        and statement.get("Effect") == "Deny"
        and _names(statement, "Principal", lambda value: _is_principal(value, principal))
        and _names(statement, "Action", lambda value: _is_action(value, action))
        and _conditions_hold(statement.get("Condition"), facts)
        for statement in _statements(_document(text))
    )


def _names(statement: Mapping[str, Any], member: str, holds: Any) -> bool:
    if member in statement:
        return bool(holds(statement[member]))
    return f"Not{member}" in statement and not holds(statement[f"Not{member}"])


def _is_principal(value: Any, principal: str) -> bool:
    if value == "*":
        return True
    if not isinstance(value, dict):
        return False
    return any(one in ("*", principal) for group in value.values() for one in _list(group))


def _is_action(value: Any, action: str) -> bool:
    return any(fnmatchcase(f"sns:{action}".lower(), str(one).lower()) for one in _list(value))


def _conditions_hold(conditions: Any, facts: Mapping[str, str]) -> bool:
    """Whether all conditions hold. One that cannot be judged here does: a Deny is somebody's precaution."""
    if not isinstance(conditions, dict):
        return True
    return all(
        _holds(str(operator), facts.get(str(key).lower()), _list(wanted))
        for operator, tests in conditions.items()
        for key, wanted in (tests.items() if isinstance(tests, dict) else ())
    )


def _holds(operator: str, fact: str | None, wanted: list[Any]) -> bool:
    same = _OPERATORS.get(operator.removesuffix("IfExists").replace("Not", ""))
    if fact is None or same is None:
        return True
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in wanted]
    return any(same(fact, text) for text in texts) != ("Not" in operator)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _statements(document: Mapping[str, Any]) -> list[Any]:
    return _list(document.get("Statement", []))


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong("failed to parse JSON") from error
    if not isinstance(document, dict) or "Statement" not in document:
        raise _wrong("it must be a JSON object with a Statement")
    return document


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _wrong(what: str) -> ServiceError:
    return faults.invalid(f"Policy Error: {what}")
