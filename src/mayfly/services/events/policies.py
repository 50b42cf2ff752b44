"""Resource policies of buses: read, written, and asked whether they deny. Pure.

Within one account everything is allowed that no statement denies. A statement that denies may say whom (`Principal`)
and what (`Action`, `Resource`); one with conditions, or with the negated forms, is refused when it is put, because a
denial that is not understood must not be ignored.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mayfly.policy.wildcards import like

VERSION = "2012-10-17"
PUT_EVENTS = "events:PutEvents"


@dataclass(frozen=True, slots=True)
class Denial:
    """A statement that denies PutEvents."""

    principals: tuple[str, ...]
    resources: tuple[str, ...]

    def covers(self, principal_arn: str, account: str, bus_arn: str) -> bool:
        """Whether it denies `principal_arn` of `account` to put events on the bus."""
        named = any(
            one in ("*", account, principal_arn) or one.endswith(f"::{account}:root") for one in self.principals
        )
        return named and any(_like(one, bus_arn) for one in self.resources)


def statements(policy: str | None) -> list[dict[str, Any]]:
    """The statements of a policy that was checked."""
    if policy is None:
        return []
    found = json.loads(policy).get("Statement", [])
    return [found] if isinstance(found, dict) else list(found)


def document(kept: Sequence[dict[str, Any]]) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": VERSION, "Statement": list(kept)}, separators=(",", ":"))


def check(policy: str) -> None:
    """ValueError unless this is a policy that can be kept to."""
    try:
        read = json.loads(policy)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(read, dict) or not isinstance(read.get("Statement"), (dict, list)):
        raise ValueError("it has no Statement")
    if isinstance(read["Statement"], list) and not all(isinstance(one, dict) for one in read["Statement"]):
        raise ValueError("a statement is an object")
    for statement in statements(policy):
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise ValueError("the Effect of a statement is Allow or Deny")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise ValueError("a statement has a Principal")
        if "Action" not in statement and "NotAction" not in statement:
            raise ValueError("a statement has an Action")
        if statement["Effect"] == "Deny":
            for member in ("Condition", "NotPrincipal", "NotAction", "NotResource"):
                if member in statement:
                    raise ValueError(f"Mayfly does not evaluate {member} of statements that deny")


def denials(policy: str | None) -> tuple[Denial, ...]:
    """What a checked policy denies of PutEvents."""
    return tuple(
        Denial(tuple(_principals(statement["Principal"])), tuple(_texts(statement.get("Resource", "*"))))
        for statement in statements(policy)
        if statement["Effect"] == "Deny" and any(_like(one, PUT_EVENTS) for one in _texts(statement["Action"]))
    )


def _principals(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    else:
        yield from _texts(value)


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [one for one in value if isinstance(one, str)]


def _like(pattern: str, text: str) -> bool:
    return like(pattern.lower(), text.lower())
