"""Pages of what targets have under names: policies and scheduled actions."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mayfly.services.autoscaling import names, paging
from mayfly.services.autoscaling.model import Action, Policy, place_of
from mayfly.store.api import Reader, Store

Kind = TypeVar("Kind", Policy, Action)

_SIFTED = 1000  # read at once, where only some names are asked for


async def page(
    store: Store,
    params: Mapping[str, Any],
    member: str,
    of_target: Callable[[Reader, str], list[Kind]],
    of_all: Callable[[Reader, str, str, int], list[Kind]],
) -> tuple[list[Kind], dict[str, str]]:
    """What is to be shown, and the token of the next page. `member`: the parameter with names; `ServiceError`."""
    names.check_namespace(params)
    (where, after), size = paging.after(params, 2), paging.size(params)
    resource, asked = params.get("ResourceId"), params.get(member)

    def body(reader: Reader) -> list[Kind]:
        if resource is not None:
            found = [one for one in of_target(reader, resource) if one.name > after]
        else:
            found = of_all(reader, where, after, size + 1 if asked is None else _SIFTED)
        return found if asked is None else [one for one in found if one.name in asked]

    found = await store.read(body)
    last = found[size - 1] if len(found) > size else None
    more = paging.more(place_of(last.resource), last.name) if last is not None else {}
    return found[:size], more
