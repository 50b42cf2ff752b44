"""From a request to the event of a Lambda proxy integration, and of a REQUEST authorizer: payload format 1.0. Pure."""

import base64
from typing import Any

import msgspec

from mayfly.services.apis.rest.serving.arrival import Arrival

_encode = msgspec.json.Encoder().encode


def event(arrival: Arrival) -> bytes:
    """The JSON of the event."""
    shown = described(arrival)
    body: str | None = None
    encoded = False
    if arrival.body:
        body, encoded = text_of(arrival)
    shown["body"], shown["isBase64Encoded"] = body, encoded
    return _encode(shown)


def described(arrival: Arrival) -> dict[str, Any]:
    """All of an event but its body."""
    assert arrival.resource is not None, "the request found its resource"
    query = arrival.query
    context = dict(arrival.context)
    context.pop("error", None)
    context["resourceId"], context["resourcePath"] = arrival.resource.id, arrival.resource.path
    if arrival.authorizer is not None:
        context["authorizer"] = arrival.authorizer
    return {
        "resource": arrival.resource.path,
        "path": arrival.shown or arrival.path,
        "httpMethod": arrival.request.method,
        "headers": {name: values[-1] for name, values in arrival.headers.items()},
        "multiValueHeaders": arrival.headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": arrival.variables or None,
        "stageVariables": arrival.view.variables or None,
        "requestContext": context,
    }


def text_of(arrival: Arrival) -> tuple[str, bool]:
    """The body as an event carries it, and whether that is base64: of binary media types alone."""
    if is_binary(arrival.view.api.head.binary_media_types, arrival.header("content-type")):
        return base64.b64encode(arrival.body).decode(), True
    return arrival.body.decode("utf-8", "replace"), False


def is_binary(types: list[str] | None, content_type: str | None) -> bool:
    """Whether an API takes what has this type for bytes."""
    if not types:
        return False
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    main = kind.partition("/")[0]
    return any(one.lower() in (kind, f"{main}/*", "*/*") for one in types)
