"""The policy of a queue: its form, the statements of AddPermission, and whether it denies a source of events.

Permission policies of callers are not evaluated yet (docs/design.md); within one account what counts here is an
explicit Deny, which binds the services that deliver events on a user's behalf.
"""

import fnmatch
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from mayfly.services.contract import ServiceError
from mayfly.services.queues.errors import MissingError, invalid, invalid_attribute

SEND: Final = "SQS:SendMessage"
MAX_STATEMENTS: Final = 20
MAX_ACTIONS: Final = 7
MAX_CHARACTERS: Final = 8192  # a queue is read with every message, and its policy with it
_ACTIONS: Final = frozenset(
    {"*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"}
    | {"GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"}
)
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")


class Attempt(NamedTuple):
    """What somebody is about to do to a queue."""

    queue_arn: str
    principal: str  # a service, "sns.amazonaws.com", or an ARN
    source_arn: str
    source_account: str


def check(text: str) -> None:
    """`ServiceError` unless `text` has the form of a policy."""
    try:
        policy = json.loads(text) if len(text) <= MAX_CHARACTERS else None
    except (ValueError, RecursionError):
        policy = None
    statements = _list(policy.get("Statement")) if isinstance(policy, dict) else []
    fine = bool(statements) and all(
        isinstance(each, dict) and each.get("Effect") in {"Allow", "Deny"} and ("Action" in each or "NotAction" in each)
        for each in statements
    )
    if not fine:
        raise invalid_attribute("Policy")


def with_permission(policy: str, arn: str, label: str, accounts: Sequence[str], actions: Sequence[str]) -> str:
    """The policy with one more statement, as AddPermission writes it; `ServiceError`."""
    if not _LABEL.match(label):
        raise invalid(
            label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
    document = (
        json.loads(policy) if policy else {"Version": "2012-10-17", "Id": f"{arn}/SQSDefaultPolicy", "Statement": []}
    )
    statements = _list(document["Statement"])
    if any(each.get("Sid") == label for each in statements):
        raise invalid(label, "Label", "Already exists.")
    if len(statements) >= MAX_STATEMENTS:
        raise ServiceError(
            "OverLimit", f"{len(statements) + 1} statements were found, maximum allowed is {MAX_STATEMENTS}."
        )
    if not actions:
        raise MissingError("Actions")
    if len(actions) > MAX_ACTIONS:
        raise ServiceError("OverLimit", f"{len(actions)} Actions were found, maximum allowed is {MAX_ACTIONS}.")
    for account in accounts or ["[]"]:
        if not re.fullmatch(r"\d{12}", account):
            raise invalid(account, "PrincipalId", "Unable to verify.")
    named = [action.removeprefix("sqs:").removeprefix("SQS:") for action in actions]
    for action in named:
        if action not in _ACTIONS:
            raise invalid(f"SQS:{action}", "ActionName", "Only the queue owner is allowed to invoke this action.")
    principals = [f"arn:aws:iam::{account}:root" for account in accounts]
    spelt = [f"SQS:{action}" for action in named]
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
        "Action": spelt[0] if len(spelt) == 1 else spelt,
        "Resource": arn,
    }
    document["Statement"] = [*statements, statement]
    return json.dumps(document, separators=(",", ":"))


def without_permission(policy: str, label: str) -> str:
    """The policy without the statement of that label, empty if it was the last; `ServiceError`."""
    document = json.loads(policy) if policy else {"Statement": []}
    statements = _list(document["Statement"])
    kept = [each for each in statements if each.get("Sid") != label]
    if len(kept) == len(statements):
        raise invalid(label, "Label", "can't find label.")
    if not kept:
        return ""
    document["Statement"] = kept
    return json.dumps(document, separators=(",", ":"))


def denies(policy: str, attempt: Attempt) -> bool:
    """Whether a statement of the policy forbids sending to the queue.

    A Deny whose conditions cannot be judged here holds: it is somebody's precaution.
    """
    if "Deny" not in policy:
        return False
    return any(
        each.get("Effect") == "Deny" and _applies(each, attempt) for each in _list(json.loads(policy)["Statement"])
    )


def _applies(statement: dict[str, Any], attempt: Attempt) -> bool:
    if "Action" in statement:
        about = _matches(_list(statement["Action"]), SEND)
    else:
        about = not _matches(_list(statement["NotAction"]), SEND)
    if not about:
        return False
    if "Resource" in statement and not _matches(_list(statement["Resource"]), attempt.queue_arn):
        return False
    if "Principal" in statement and not _names(statement["Principal"], attempt.principal):
        return False
    if "NotPrincipal" in statement and _names(statement["NotPrincipal"], attempt.principal):
        return False
    conditions = statement.get("Condition", {})
    return all(
        _holds(operator, key, _list(wanted), attempt)
        for operator, by_key in conditions.items()
        for key, wanted in by_key.items()
    )


def _holds(operator: str, key: str, wanted: Iterable[Any], attempt: Attempt) -> bool:
    known = {
        "aws:sourcearn": attempt.source_arn,
        "aws:sourceaccount": attempt.source_account,
        "aws:principalservicename": attempt.principal,
        "aws:securetransport": "true",  # it never leaves the platform
    }
    value = known.get(key.lower())
    if value is None:
        return True
    name = operator.removesuffix("IfExists")
    patterns = [str(each).lower() if isinstance(each, bool) else str(each) for each in wanted]
    if name in {"ArnEquals", "ArnLike", "StringLike"}:
        return _matches(patterns, value, exact_case=True)
    if name in {"ArnNotEquals", "ArnNotLike", "StringNotLike"}:
        return not _matches(patterns, value, exact_case=True)
    if name in {"StringEquals", "Bool"}:
        return value in patterns
    if name == "StringNotEquals":
        return value not in patterns
    return True


def _names(principal: Any, who: str) -> bool:
    if principal == "*":
        return True
    return any(each in {"*", who} for values in principal.values() for each in _list(values))


def _matches(patterns: Iterable[Any], value: str, *, exact_case: bool = False) -> bool:
    if not exact_case:
        value = value.lower()
    return any(
        fnmatch.fnmatchcase(value, re.sub(r"[\[\]]", "?", str(each) if exact_case else str(each).lower()))
        for each in patterns
    )


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
