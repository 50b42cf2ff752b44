"""What the policy that an authorizer returns allows. Pure.

IAM's semantics: nothing is allowed that no statement allows, and nothing that one denies. A condition that cannot be
judged lets no statement allow, and lets one deny.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mayfly.policy.wildcards import like
from mayfly.services.denials import listed

INVOKE: Final = "execute-api:Invoke"


def allows(document: Any, resource: str, action: str = INVOKE, facts: Mapping[str, str] | None = None) -> bool:
    """Whether a policy allows `action` on the API or route with the ARN `resource`.

    `facts`: what conditions may ask for, by the key in small letters. ValueError when it is no policy.
    """
    return decided([document], resource, action, facts)


def decided(
    documents: Iterable[Any], resource: str, action: str = INVOKE, facts: Mapping[str, str] | None = None
) -> bool:
    """Whether several policies together allow; ValueError."""
    allowed = False
    for document in documents:
        for statement in statements(document):
            if not _about(statement, action, resource):
                continue
            holds = _holds(statement.get("Condition"), facts or {})
            if statement["Effect"] == "Deny":
                if holds is not False:
                    return False
            elif holds:
                allowed = True
    return allowed


def statements(document: Any) -> list[Mapping[str, Any]]:
    """The statements of a policy; ValueError when it is none."""
    if not isinstance(document, Mapping) or "Statement" not in document:
        raise ValueError("a policy is an object with a Statement")
    found = listed(document["Statement"])
    for statement in found:
        if not isinstance(statement, Mapping) or statement.get("Effect") not in ("Allow", "Deny"):
            raise ValueError("a statement of a policy has an Effect, Allow or Deny")
    return found


def _about(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    return _named(statement, "Action", action.lower(), lower=True) and _named(
        statement, "Resource", resource, lower=False
    )


def _named(statement: Mapping[str, Any], member: str, value: str, *, lower: bool) -> bool:
    def matches(patterns: Any) -> bool:
        return any(
            isinstance(pattern, str) and like(pattern.lower() if lower else pattern, value)
            for pattern in listed(patterns)
        )

    if member in statement:
        return matches(statement[member])
    if f"Not{member}" in statement:
        return not matches(statement[f"Not{member}"])
    return False


def _holds(conditions: Any, facts: Mapping[str, str]) -> bool | None:
    """Whether all conditions hold; None: that cannot be judged here."""
    if not conditions:
        return True
    if not isinstance(conditions, Mapping):
        return None
    unknown = False
    for operator, tests in conditions.items():
        for key, values in tests.items() if isinstance(tests, Mapping) else ():
            found = facts.get(str(key).lower())
            holds = _test(str(operator), found, [str(value) for value in listed(values)])
            if holds is False:
                return False
            unknown = unknown or holds is None
    return None if unknown else True


def _test(operator: str, found: str | None, values: list[str]) -> bool | None:
    if operator in ("StringEquals", "ArnEquals"):
        return found in values
    if operator in ("StringNotEquals", "ArnNotEquals"):
        return found not in values
    if operator in ("StringLike", "ArnLike"):
        return found is not None and any(like(value, found) for value in values)
    if operator in ("StringNotLike", "ArnNotLike"):
        return found is None or not any(like(value, found) for value in values)
    if operator == "Bool":
        return found is not None and found.lower() in [value.lower() for value in values]
    return None
