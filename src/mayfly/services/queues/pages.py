"""Pages of lists: a token is the last name of the page before."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

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
    try:
        return base64.b64decode(token, validate=True).decode(), count
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidValueError("Invalid or expired next token.") from error


def token_after(name: str) -> str:
    """The token of the page after `name`."""
    return base64.b64encode(name.encode()).decode()
