"""Patch operations (`UpdateRestApi` and the like): what paths a resource has, and what they do. Pure.

A patch works on the members of a resource as the wire shows them, in a dict of its own; whoever asked makes the
resource of it again. Paths are those of RFC 6901, with `~1` for a slash and `~0` for a tilde inside of names.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mayfly.services.apis.rest import faults
from mayfly.services.contract import ServiceError

Members = dict[str, Any]
Convert = Callable[[str | None], Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """One operation."""

    op: str
    path: str
    value: str | None = None
    source: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in self.path.split("/")[1:])


@dataclass(frozen=True, slots=True)
class Rule:
    """A path, whose last name may be anything (`/tags/*`), what may be done to it, and what that does."""

    path: str
    ops: frozenset[str]
    apply: Callable[[Members, Patch], None]


def patches(params: Mapping[str, Any]) -> list[Patch]:
    """Those of a request; `ServiceError`."""
    found = []
    for one in params.get("patchOperations") or ():
        if one.get("path") is None:
            raise faults.bad_request("Invalid patch path null")
        found.append(Patch(one.get("op", "replace"), one["path"], one.get("value"), one.get("from")))
    return found


def text(value: str | None) -> str | None:
    return value


def boolean(value: str | None) -> bool:
    """Anything but "true" is false, as AWS has it."""
    return (value or "").lower() == "true"


def integer(name: str) -> Convert:
    def convert(value: str | None) -> int:
        try:
            return int(value or "")
        except ValueError:
            raise faults.bad_request(f"Invalid value '{value}' specified for {name}. Must be an integer.") from None

    return convert


def number(name: str) -> Convert:
    def convert(value: str | None) -> float:
        try:
            return float(value or "")
        except ValueError:
            raise faults.bad_request(f"Invalid value '{value}' specified for {name}. Must be a number.") from None

    return convert


def scalar(name: str, convert: Convert = text, ops: str = "replace", path: str | None = None) -> Rule:
    """`/name` with one value. Removing it, or replacing it by nothing, leaves none."""

    def apply(members: Members, patch: Patch) -> None:
        if patch.op == "remove":
            members.pop(name, None)
        else:
            members[name] = convert(patch.value)

    return Rule(path or f"/{name}", frozenset(ops.split()), apply)


def entry(
    name: str, convert: Convert = text, ops: str = "add remove replace", missing: ServiceError | None = None
) -> Rule:
    """`/name/key` of a map. `missing`: what is said where a key is removed or replaced that is not there."""

    def apply(members: Members, patch: Patch) -> None:
        held = dict(members.get(name) or {})
        key = patch.names[1]
        if patch.op in ("remove", "replace") and key not in held and missing is not None:
            raise missing
        if patch.op == "remove":
            held.pop(key, None)
        else:
            held[key] = convert(patch.value)
        members[name] = held or None

    return Rule(f"/{name}/*", frozenset(ops.split()), apply)


def entries(name: str, asked: Sequence[Patch]) -> dict[str, str | None]:
    """What patches put into a map, by key."""
    return {
        patch.names[1]: patch.value
        for patch in asked
        if patch.op != "remove" and len(patch.names) == 2 and patch.names[0] == name
    }


def member(name: str, ops: str = "add remove replace") -> Rule:
    """`/name/value` of a list of texts: to replace one is to give it another value."""

    def apply(members: Members, patch: Patch) -> None:
        held = list(members.get(name) or [])
        said = patch.names[1]
        if patch.op == "add":
            if said not in held:
                held.append(said)
        elif patch.op == "replace" and patch.value is not None:
            held = [one for one in held if one != said]
            held.append(patch.value)
        else:
            held = [one for one in held if one != said]
        members[name] = held or None

    return Rule(f"/{name}/*", frozenset(ops.split()), apply)


def listed(name: str, ops: str = "add remove replace") -> Rule:
    """`/name` of a list of texts, with the member as the value."""

    def apply(members: Members, patch: Patch) -> None:
        held = list(members.get(name) or [])
        given = [part for part in (patch.value or "").split(",") if part]
        if patch.op == "replace":
            held = given
        elif patch.op == "add":
            held += [one for one in given if one not in held]
        else:
            held = [one for one in held if one not in given]
        members[name] = held or None

    return Rule(f"/{name}", frozenset(ops.split()), apply)


def find(rules: Sequence[Rule], patch: Patch) -> Rule | None:
    """The rule of a path."""
    names = patch.names
    for rule in rules:
        said = rule.path.split("/")[1:]
        if len(said) == len(names) and all(want in ("*", got) for want, got in zip(said, names, strict=True)):
            return rule
    return None


def apply_curt(members: Members, rules: Sequence[Rule], asked: Sequence[Patch]) -> None:
    """Patch what says shortly what is wrong: APIs, methods, integrations, responses; `ServiceError`."""
    for patch in asked:
        rule = find(rules, patch)
        if rule is None:
            raise faults.bad_request(f"Invalid patch path {patch.path}")
        if patch.op not in rule.ops:
            if rule.ops == {"replace"}:
                raise faults.bad_request("Invalid patch operation specified. Must be one of: [replace]")
            choices = "|".join(f"'{op}'" for op in sorted(rule.ops))
            raise faults.bad_request(f"Invalid patch operation specified. Must be {choices}")
        rule.apply(members, patch)


def apply_chatty(members: Members, rules: Sequence[Rule], asked: Sequence[Patch]) -> None:
    """Patch what says what there is to choose from: resources, models, validators, keys; `ServiceError`."""
    for patch in asked:
        rule = find(rules, patch)
        if rule is None or patch.op not in rule.ops:
            choices = [one.path for one in rules if patch.op in one.ops]
            said = f"Must be one of: [{', '.join(choices)}]" if choices else "Please choose supported operations"
            raise faults.bad_request(f"Invalid patch path  '{patch.path}' specified for op '{patch.op}'. {said}")
        rule.apply(members, patch)
