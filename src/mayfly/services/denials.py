"""Whether a resource policy denies what a service of the platform is about to do for somebody. Pure.

Within one account everything is allowed that no statement denies, so only `Deny` is looked at; permission policies of
callers are not evaluated yet (docs/design.md). A Deny whose conditions cannot be judged here holds: it is somebody's
precaution.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from mayfly.policy.wildcards import like


class Attempt(NamedTuple):
    """What a service is about to do to a resource."""

    action: str  # "SQS:SendMessage", in any case
    resource_arn: str | None  # None: whatever Resource a statement names, it is about this one
    principal: str  # a service, "sns.amazonaws.com", or an ARN
    source_arn: str
    source_account: str

    def facts(self) -> Mapping[str, str]:
        """What conditions may ask for, by the key in small letters."""
        return {
            "aws:sourcearn": self.source_arn,
            "aws:sourceaccount": self.source_account,
            "aws:sourceowner": self.source_account,
            "aws:principalservicename": self.principal,
            "aws:securetransport": "true",  # it never leaves the platform
        }


def denies(policy: str | None, attempt: Attempt) -> bool:
    """Whether a statement of `policy`, which was checked when it was put, denies the attempt."""
    if policy is None or "Deny" not in policy:
        return False
    return any(
        isinstance(statement, dict) and statement.get("Effect") == "Deny" and _applies(statement, attempt)
        for statement in listed(json.loads(policy)["Statement"])
    )


def listed(value: Any) -> list[Any]:
    """IAM lets a single thing stand for a list of it."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _applies(statement: Mapping[str, Any], attempt: Attempt) -> bool:
    return (
        _about(statement, "Action", lambda value: _any_case(value, attempt.action))
        and _is_resource(statement.get("Resource", "*"), attempt.resource_arn)
        and _about(statement, "Principal", lambda value: _names(value, attempt.principal))
        and _conditions_hold(statement.get("Condition"), attempt.facts())
    )


def _about(statement: Mapping[str, Any], member: str, holds: Callable[[Any], bool]) -> bool:
    """Whether a member, or its negation, is about it; a statement without either is about everything."""
    if member in statement:
        return holds(statement[member])
    return f"Not{member}" not in statement or not holds(statement[f"Not{member}"])


def _is_resource(patterns: Any, arn: str | None) -> bool:
    return arn is None or _any_case(patterns, arn)


def _names(principal: Any, who: str) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    return any(one in ("*", who) for group in principal.values() for one in listed(group))


def _conditions_hold(conditions: Any, facts: Mapping[str, str]) -> bool:
    if not isinstance(conditions, dict):
        return True
    return all(
        _holds(str(operator), facts.get(str(key).lower()), listed(wanted))
        for operator, tests in conditions.items()
        for key, wanted in (tests.items() if isinstance(tests, dict) else ())
    )


def _holds(operator: str, fact: str | None, wanted: Iterable[Any]) -> bool:
    same = _OPERATORS.get(operator.removesuffix("IfExists").replace("Not", ""))
    if fact is None or same is None:
        return True
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in wanted]
    return any(same(fact, text) for text in texts) != ("Not" in operator)


def _like(value: str, pattern: str) -> bool:
    return like(pattern, value)


def _any_case(patterns: Any, value: str) -> bool:
    return any(_like(value.lower(), str(one).lower()) for one in listed(patterns))


_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = MappingProxyType(
    {"StringEquals": str.__eq__, "StringLike": _like, "Bool": str.__eq__, "ArnEquals": _like, "ArnLike": _like}
)
