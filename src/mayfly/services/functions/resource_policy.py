"""A function's resource policy: how a permission is shown, and whether it allows a call. Pure.

The semantics are IAM's: all conditions of a statement must hold, one statement that allows is enough unless another
denies, nothing allows by default. Statements are those that AddPermission makes, or the ones of a whole document
(`policy_statements`).
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mayfly.ids import PARTITION
from mayfly.services.functions import policy_statements
from mayfly.services.functions.model import AuthType, Statement

INVOKE = "lambda:InvokeFunction"
INVOKE_URL = "lambda:InvokeFunctionUrl"
MAX_POLICY_BYTES = 20 * 1024

_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")
_SESSION = re.compile(r"arn:([^:]+):sts::(\d{12}):assumed-role/([^/]+)/.+")
_ACCOUNT = re.compile(r"\d{12}")
_IDENTITY = re.compile(r"arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/.+)")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call to be allowed or not. None: the call carries no such thing, and a condition on it does not hold."""

    action: str
    principal: str  # a service ("s3.amazonaws.com"), an ARN, or "*" for nobody in particular
    source_arn: str | None = None
    source_account: str | None = None
    url_auth_type: AuthType | None = None
    via_url: bool = False


def is_principal(text: str) -> bool:
    """Whether AddPermission takes `text` as a principal."""
    return text == "*" or any(pattern.fullmatch(text) for pattern in (_SERVICE, _ACCOUNT, _IDENTITY))


def statement(value: Statement, function_arn: str) -> dict[str, Any]:
    """A permission as IAM writes it, members in AWS's order."""
    if value.document is not None:
        whole: dict[str, Any] = json.loads(value.document)
        return whole
    equals = {
        "AWS:SourceAccount": value.source_account,
        "lambda:FunctionUrlAuthType": value.url_auth_type,
        "aws:PrincipalOrgID": value.organization,
        "lambda:EventSourceToken": value.event_source_token,
    }
    conditions = {
        "StringEquals": {key: text for key, text in equals.items() if text is not None},
        "Bool": {} if value.via_url is None else {"lambda:InvokedViaFunctionUrl": str(value.via_url).lower()},
        "ArnLike": {} if value.source_arn is None else {"AWS:SourceArn": value.source_arn},
    }
    shown: dict[str, Any] = {
        "Sid": value.sid,
        "Effect": "Allow",
        "Principal": _principal(value.principal),
        "Action": value.action,
        "Resource": function_arn,
    }
    if present := {operator: tests for operator, tests in conditions.items() if tests}:
        shown["Condition"] = present
    return shown


def document(statements: Iterable[Statement], function_arn: str, identifier: str = "default") -> str:
    """The whole policy as JSON text."""
    shown = [statement(value, function_arn) for value in statements]
    return json.dumps({"Version": "2012-10-17", "Id": identifier, "Statement": shown}, separators=(",", ":"))


def _principal(text: str) -> str | dict[str, str]:
    if text == "*":
        return text
    if _SERVICE.fullmatch(text):
        return {"Service": text}
    return {"AWS": f"arn:{PARTITION}:iam::{text}:root" if _ACCOUNT.fullmatch(text) else text}


def allows(statements: Iterable[Statement], attempt: Attempt) -> bool:
    """Whether one of `statements` allows `attempt`, and none denies it."""
    allowed = False
    for value in statements:
        if value.document is not None:
            said = json.loads(value.document)
            if policy_statements.applies(said, _subject(attempt)):
                if said["Effect"] == "Deny":
                    return False
                allowed = True
        elif not allowed:
            allowed = _allows(value, attempt)
    return allowed


def denies(statements: Iterable[Statement], attempt: Attempt) -> bool:
    """Whether one of `statements` denies `attempt`, for those who may without being allowed."""
    for value in statements:
        if value.document is not None and '"Deny"' in value.document:
            said = json.loads(value.document)
            if said["Effect"] == "Deny" and policy_statements.applies(said, _subject(attempt)):
                return True
    return False


def _subject(attempt: Attempt) -> policy_statements.Subject:
    who = attempt.principal
    by_service = _SERVICE.fullmatch(who) is not None
    account = who.split(":")[4] if who.startswith("arn:") and who.count(":") >= 5 else None
    known = {
        "aws:sourcearn": attempt.source_arn,
        "aws:sourceaccount": attempt.source_account,
        "aws:principalarn": _role_of(who) if account is not None else None,
        "aws:principalaccount": account,
        "aws:principalservicename": who if by_service else None,
        "aws:principalisawsservice": str(by_service).lower(),
        "lambda:functionurlauthtype": attempt.url_auth_type,
        "lambda:invokedviafunctionurl": str(attempt.via_url).lower(),
    }
    facts = {key: value for key, value in known.items() if value is not None}
    return policy_statements.Subject(attempt.action, who, facts)


def _role_of(arn: str) -> str:
    """A session acts as its role."""
    session = _SESSION.fullmatch(arn)
    return f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session is not None else arn


def _allows(value: Statement, attempt: Attempt) -> bool:
    return (
        value.action in (attempt.action, "lambda:*", "*")
        and value.principal in ("*", attempt.principal)
        and (value.source_arn is None or policy_statements.arn_like(value.source_arn, attempt.source_arn))
        and value.source_account in (None, attempt.source_account)
        and value.url_auth_type in (None, attempt.url_auth_type)
        and value.via_url in (None, attempt.via_url)
        and value.organization is None  # there are no organizations here, so such a condition never holds
        and value.event_source_token is None  # only Alexa sends one
    )
