"""Pages of lists: what is asked of them, and their tokens. Pure."""

from collections.abc import Mapping
from typing import Any

from mayfly.services import page_tokens
from mayfly.services.autoscaling import faults

PAGE = 50


def size(params: Mapping[str, Any]) -> int:
    asked: int = params.get("MaxResults", PAGE)
    if asked < 1:
        raise faults.validation("MaxResults must be at least 1.")
    return min(asked, PAGE)


def after(params: Mapping[str, Any], length: int) -> list[str]:
    """The place after which the page begins; empty texts for the first one. `ServiceError`."""
    return page_tokens.places(params.get("NextToken"), length, faults.bad_token)


def more(*place: str) -> dict[str, str]:
    return {"NextToken": page_tokens.encode(*place)}
