"""Versions of functions by steps: as CloudFormation makes them, by templates that are deployed one after another.

A template publishes what a function is, so each version takes a template of its own in which the function is what it
was then. The last template is all that is exported; those before it have the functions with several versions, and what
these refer to. A later one has all that an earlier one has, so nothing that was made is taken away again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mayfly.cli.exports.references import Template, names
from mayfly.cli.exports.things import State, Thing
from mayfly.cli.exports.versions import FUNCTION, VERSION
from mayfly.cli.exports.yaml import GetAtt, Ref, Sub

# Properties of functions that versions do not keep.
_UNVERSIONED = frozenset(
    [
        "FunctionName",
        "ReservedConcurrentExecutions",
        "RecursiveLoop",
        "RuntimeManagementConfig",
        "CodeSigningConfigArn",
        "Tags",
    ]
)
_NAMED = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}")


@dataclass(frozen=True, slots=True)
class Step:
    """A template before the last one."""

    things: dict[str, Thing]  # what its resources may be, functions as they were
    wanted: frozenset[str]  # the logical ids of those that it is there for
    versions: dict[str, Thing]  # by the logical id of a function: the version that it is the code of


def steps(things: Mapping[str, Thing]) -> list[Step]:
    """Those before the last template, in their order; none where no function has several versions."""
    versions = {id_: thing for id_, thing in things.items() if thing.type == VERSION}
    functions = {thing.ref: id_ for id_, thing in things.items() if thing.type == FUNCTION}
    earlier: dict[str, list[str]] = {}
    for name, id_ in functions.items():
        own = sorted((one for one in versions if versions[one].series == name), key=lambda one: versions[one].number)
        if own and _is_last(things[id_], [_state(versions[one]) for one in own]):
            own.pop()
        if own:
            earlier[id_] = own
    made = []
    for count in range(1, max(map(len, earlier.values()), default=0) + 1):
        shown = {id_: versions[own[min(count, len(own)) - 1]] for id_, own in earlier.items()}
        there = {one for own in earlier.values() for one in own[:count]}
        then = {id_: _as_it_was(thing, shown.get(id_)) for id_, thing in things.items()}
        made.append(Step(_without(then, set(versions) - there), frozenset(earlier) | there, shown))
    return made


def pruned(template: Template, wanted: Iterable[str]) -> Template:
    """The resources of those logical ids, what they refer to, and the parameters of all that."""
    kept: set[str] = set()
    left = list(wanted)
    while left:
        id_ = left.pop()
        if id_ in template.resources and id_ not in kept:
            kept.add(id_)
            left += _referred(template.resources[id_])
    said = {name for id_ in kept for name in _referred(template.resources[id_])}
    return Template(
        {id_: resource for id_, resource in template.resources.items() if id_ in kept},
        {name: one for name, one in template.parameters.items() if name in said},
    )


def _state(version: Thing) -> State:
    assert version.state is not None
    return version.state


def _is_last(function: Thing, states: list[State]) -> bool:
    """Whether the last version is what $LATEST is, so that the last template can publish it."""
    latest = {name: value for name, value in function.properties.items() if name not in _UNVERSIONED}
    if len(states) > 1 and states[-2] == State(latest, function.sha256):
        return False
    state, plain = states[-1], ("Description", "Code")
    described = state.properties.get("Description")
    return (
        state.sha256 == function.sha256
        and {name: value for name, value in state.properties.items() if name not in plain}
        == {name: value for name, value in latest.items() if name not in plain}
        and (described is not None or "Description" not in latest)  # else it would get the function's
    )


def _as_it_was(thing: Thing, version: Thing | None) -> Thing:
    if version is None:
        return thing
    own = {name: value for name, value in thing.properties.items() if name in _UNVERSIONED}
    return replace(thing, properties=own | _state(version).properties)


def _without(things: dict[str, Thing], gone: set[str]) -> dict[str, Thing]:
    """Without those of the logical ids `gone`, what is of them, and so on."""
    left = {id_: thing for id_, thing in things.items() if id_ not in gone}
    known = {text for id_ in gone for text in _texts_of(things[id_])}
    while more := {id_ for id_, thing in left.items() if known & _needs(thing)}:
        known |= {text for id_ in more for text in _texts_of(left[id_])}
        left = {id_: thing for id_, thing in left.items() if id_ not in more}
    return left


def _texts_of(thing: Thing) -> set[str]:
    found = {thing.ref, *thing.also, *thing.attributes.values()}
    return {text for text in found if text.startswith("arn:")}  # names are many things' names


def _needs(thing: Thing) -> set[str]:
    return {*thing.after, *(name.name for name in names(thing.properties))}


def _referred(value: Any) -> Iterator[str]:
    """Logical ids, and names of parameters, that a part of a template says."""
    if isinstance(value, Ref):
        yield str(value)
    elif isinstance(value, GetAtt):
        yield str(value).partition(".")[0]
    elif isinstance(value, Sub):
        yield from _NAMED.findall(str(value))
    elif isinstance(value, Mapping):
        yield from value.get("DependsOn", ()) if "Type" in value else ()
        for item in value.values():
            yield from _referred(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _referred(item)
