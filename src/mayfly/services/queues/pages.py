"""Pages of lists: a token is the last name of the page before."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from mayfly.services import page_tokens
from mayfly.services.queues.errors import InvalidValueError, invalid


def page_of(request: Mapping[str, Any], most: int) -> tuple[str, int]:
    """The name after which a page begins, and how many it may have; `ServiceError`."""
    count = request.get("MaxResults", most)
    if not 1 <= count <= most:
        raise invalid(count, "MaxResults", f"MaxResults must be an integer between 1 and {most}.")
    token = request.get("NextToken")
    if token is None:
        return "", count
    if "MaxResults" not in request:
        raise InvalidValueError("MaxResults is a required parameter if NextToken is present.")
    return page_tokens.after(token or None, partial(InvalidValueError, "Invalid or expired next token.")), count
