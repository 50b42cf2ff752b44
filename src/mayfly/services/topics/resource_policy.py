"""Access policies of topics: the one that every topic begins with, and its statements by label. Pure.

What a policy denies, `services.denials` says.
"""

import json
from collections.abc import Iterable, Mapping
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


def _statements(document: Mapping[str, Any]) -> list[Any]:
    found = document.get("Statement", [])
    return found if isinstance(found, list) else [found]


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
