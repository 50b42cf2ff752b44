"""Whether a trust policy lets somebody assume its role. Pure, and closed by default.

An explicit Deny wins over every Allow. What is not understood (a condition operator, a key without a value) makes an
Allow not apply and a Deny apply, so a policy can be read too strictly here but never too widely.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mayfly.policy.wildcards import like
from mayfly.services.identity.policy_documents import Statement

ASSUME_ROLE = "sts:AssumeRole"


class Caller(NamedTuple):
    """Who wants to assume a role, by every name that a trust policy may call it."""

    account: str
    arns: tuple[str, ...] = ()  # its own: user, role, session, root
    service: str | None = None  # "lambda.amazonaws.com"
    # Whether naming the account is enough. AWS then asks the caller's own policies, which are not evaluated yet: for
    # a user the answer has to be no.
    delegated: bool = False


def trusts(statements: Sequence[Statement], caller: Caller, context: Mapping[str, str]) -> bool:
    """Whether `statements` let `caller` do `sts:AssumeRole`, given the condition keys of `context`."""
    allowed = False
    for statement in statements:
        if not _covers_action(statement):
            continue
        if statement.allows:
            allowed = allowed or (
                _names(statement, caller, delegated=caller.delegated) and _holds(statement, context) is True
            )
        elif _names(statement, caller, delegated=True) and _holds(statement, context) is not False:
            return False
    return allowed


def _covers_action(statement: Statement) -> bool:
    if statement.not_actions:
        return not any(like(pattern.lower(), ASSUME_ROLE.lower()) for pattern in statement.not_actions)
    return any(like(pattern.lower(), ASSUME_ROLE.lower()) for pattern in statement.actions)


def _names(statement: Statement, caller: Caller, *, delegated: bool) -> bool:
    if statement.not_principals:
        # Allow with NotPrincipal would admit everybody else; IAM advises against it and it is not honoured here.
        return not statement.allows and not _lists(statement.not_principals, caller, delegated=True)
    return _lists(statement.principals, caller, delegated=delegated)


def _lists(principals: Mapping[str, tuple[str, ...]], caller: Caller, *, delegated: bool) -> bool:
    if caller.service is not None:
        return caller.service in principals.get("Service", ())
    for name in principals.get("AWS", ()):
        whole_account = name in ("*", caller.account, f"arn:aws:iam::{caller.account}:root")
        if name in caller.arns or (whole_account and delegated):
            return True
    return False


def _holds(statement: Statement, context: Mapping[str, str]) -> bool | None:
    """Whether all conditions hold; None when one of them cannot be judged."""
    folded_context = {key.lower(): value for key, value in context.items()}
    verdict: bool | None = True
    for operator, tests in statement.conditions.items():
        for key, values in tests.items():
            held = _condition(operator, folded_context.get(key.lower()), values)
            if held is False:
                return False
            if held is None:
                verdict = None
    return verdict


def _condition(operator: str, actual: str | None, values: tuple[str, ...]) -> bool | None:
    if operator == "Null":
        return (actual is None) == (values == ("true",))
    optional = operator.endswith("IfExists")
    base = operator.removesuffix("IfExists")
    negated = "Not" in base
    plain = base.replace("Not", "")
    if plain not in ("StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"):
        return None
    if actual is None:
        return True if optional or negated else None
    matched = any(_matches(plain, value, actual) for value in values)
    return matched != negated


def _matches(operator: str, wanted: str, actual: str) -> bool:
    if operator == "StringEquals":
        return wanted == actual
    if operator == "StringEqualsIgnoreCase":
        return wanted.lower() == actual.lower()
    return like(wanted, actual)
