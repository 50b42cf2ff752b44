"""Pages of lists as REST APIs have them: `position` says where to go on, `limit` how many. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mayfly.services import page_tokens
from mayfly.services.apis.rest import faults

Item = TypeVar("Item")

USUAL = 25
MOST = 500


def size(params: Mapping[str, Any]) -> int:
    """How many to show. What is out of bounds is brought into them."""
    asked = int(params.get("limit", USUAL))
    return min(asked, MOST) if asked > 0 else USUAL


def after(params: Mapping[str, Any]) -> str:
    """The place after which to go on, "" at the beginning; `ServiceError`."""
    return page_tokens.after(params.get("position") or None, faults.bad_position)


def page(items: Sequence[tuple[str, Item]], params: Mapping[str, Any]) -> tuple[list[Item], dict[str, str]]:
    """Of all items, each with its place, in order of places: those of the page; and the member with the next position.

    Also for those that were read from one place on, up to one more than there is room for."""
    begin, most = after(params), size(params)
    left = [(place, item) for place, item in items if place > begin]
    more = {"position": page_tokens.encode(left[most - 1][0])} if len(left) > most else {}
    return [item for _, item in left[:most]], more
