"""IAM's paging: `MaxItems` and an opaque `Marker` that carries the sort key of the last item seen."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from mayfly.services import page_tokens
from mayfly.services.identity.faults import validation

T = TypeVar("T")
DEFAULT_ITEMS = 100


class PageRequest(NamedTuple):
    after: str  # sort keys above this one; "" sorts before all
    limit: int


def page_request(params: Any) -> PageRequest:
    """What `params` (with `Marker` and `MaxItems`) asks for; `ServiceError` ValidationError for a foreign marker."""
    marker = params.get("Marker")
    after = page_tokens.after(marker, partial(validation, "Invalid Marker."))
    return PageRequest(after, params.get("MaxItems", DEFAULT_ITEMS))


def page_reply(
    name: str, found: Sequence[T], limit: int, sort_key: Callable[[T], str], shape: Callable[[T], Any]
) -> dict[str, Any]:
    """The reply with member `name`; `found` was read with a limit one higher, which tells whether there is more."""
    shown = found[:limit]
    reply: dict[str, Any] = {name: [shape(item) for item in shown], "IsTruncated": len(found) > limit}
    if len(found) > limit:
        reply["Marker"] = page_tokens.encode(sort_key(shown[-1]))
    return reply
