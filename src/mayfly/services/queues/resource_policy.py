"""The policy of a queue: its form, and the statements of AddPermission. What it denies, `services.denials` says."""

import json
import re
from collections.abc import Sequence
from typing import Final

from mayfly.services.contract import ServiceError
from mayfly.services.denials import listed
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


def check(text: str) -> None:
    """`ServiceError` unless `text` has the form of a policy."""
    try:
        policy = json.loads(text) if len(text) <= MAX_CHARACTERS else None
    except (ValueError, RecursionError):
        policy = None
    statements = listed(policy.get("Statement")) if isinstance(policy, dict) else []
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
    statements = listed(document["Statement"])
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
    statements = listed(document["Statement"])
    kept = [each for each in statements if each.get("Sid") != label]
    if len(kept) == len(statements):
        raise invalid(label, "Label", "can't find label.")
    if not kept:
        return ""
    document["Statement"] = kept
    return json.dumps(document, separators=(",", ":"))
