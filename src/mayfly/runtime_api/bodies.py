"""What runtimes send as error objects, made into what the caller of a function gets. Pure."""

import base64
import binascii
import json
from collections.abc import Mapping

from mayfly.runtime_api.exchange import Request

# AWS refuses answers above 6 MiB and what surrounds them.
MOST_REPLY = 6 * 1024 * 1024 + 100
_WITH_CAUSE = "application/vnd.aws.lambda.error.cause+json"
_ERROR_BODY = "lambda-runtime-function-error-body"


def error(request: Request, payload: bytes) -> bytes:
    """The body of a request that reports an error. It is passed on as it is; that it is JSON is not checked, as by AWS.

    With the content type that carries a cause for traces beside the error, the error alone.
    """
    if request.headers.get("content-type") == _WITH_CAUSE:
        return _without_cause(payload)
    error_type = request.headers.get("lambda-runtime-function-error-type", "")
    return payload or _named(error_type)


def trailing_error(error_type: str, trailers: Mapping[str, str]) -> bytes:
    """The error in the trailers of an answer that began well; its body is in base64."""
    text = trailers.get(_ERROR_BODY, "")
    try:
        return base64.b64decode(text, validate=True) or _named(error_type)
    except (binascii.Error, ValueError):
        return text.encode()


def too_large(most: int) -> bytes:
    """What the caller gets for an answer that is."""
    message = f"Response payload size exceeded maximum allowed payload size ({most} bytes)."
    return json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode()


def _without_cause(payload: bytes) -> bytes:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return b'"Invalid error body"'
    kept = {name: said[name] for name in ("errorMessage", "errorType", "stackTrace") if name in said}
    return json.dumps(kept).encode()


def _named(error_type: str) -> bytes:
    return json.dumps({"errorType": error_type or "Runtime.Unknown", "errorMessage": ""}).encode()
