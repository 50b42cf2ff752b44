"""What a method maps: which template a body is put through, parameters of integrations, and of responses. Pure but for
the time that templates take."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mayfly.services.apis.rest.model import Integration
from mayfly.services.apis.rest.serving import refusals
from mayfly.services.apis.rest.serving.arrival import Arrival
from mayfly.services.apis.rest.serving.proxy_events import is_binary
from mayfly.services.apis.rest.serving.refusals import RefusedError, internal
from mayfly.vtl.errors import TemplateError
from mayfly.vtl.template import Scope, compile_template, context_of

_QUICK = 16 * 1024  # characters of a body that a template without loops gets through at once


def content_type(given: str | None) -> str:
    """Of a body, without its parameters."""
    return (given or "application/json").partition(";")[0].strip().lower()


def request_template(integration: Integration, kind: str) -> str | None:
    """The template for a content type; None: the body goes on as it is; `RefusedError` where it may not."""
    templates = integration.request_templates or {}
    found = {name.lower(): text for name, text in templates.items()}
    if kind in found or "$default" in found:
        return found.get(kind, found.get("$default"))
    behaviour = integration.passthrough_behavior
    if behaviour == "NEVER" or (behaviour == "WHEN_NO_TEMPLATES" and templates):
        raise RefusedError("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type")
    return None


def response_template(templates: Mapping[str, str | None], accept: str | None) -> tuple[str, str | None]:
    """The content type of a response and the template for it; None: the body goes on as it is."""
    wanted = content_type(accept.partition(",")[0]) if accept else ""
    for name in (wanted, "application/json"):
        if name in templates:
            return name, templates[name]
    return next(iter(templates.items()), ("application/json", None))


async def rendered(arrival: Arrival, text: str, body: str, context: Any) -> str:
    """What a template writes; `RefusedError`."""
    template = arrival.view.templates.get(text)
    try:
        if template is None:
            template = arrival.view.templates[text] = compile_template(text)
        scope = Scope(body, _params(arrival), context, arrival.view.variables)
        if "#foreach" in text or len(body) > _QUICK:
            return await asyncio.to_thread(template.render, scope)
        return template.render(scope)
    except TemplateError as error:
        raise internal(f"Execution failed due to configuration error: {error}", "API_CONFIGURATION_ERROR") from error


def template_context(arrival: Arrival) -> Any:
    """`$context`, for the templates of one request."""
    return context_of(arrival.context)


def _params(arrival: Arrival) -> dict[str, dict[str, Any]]:
    path = {name: arrival.parameter(f"method.request.path.{name}") for name in arrival.variables}
    return {
        "path": path,
        "querystring": {name: values[-1] for name, values in arrival.query.items()},
        "header": {name: values[-1] for name, values in arrival.headers.items()},
    }


def mapped(arrival: Arrival, integration: Integration, context: Any) -> dict[str, dict[str, str]]:
    """Parameters of the integration by "header", "querystring" and "path": those that the method maps, and those that
    its template set."""
    found: dict[str, dict[str, str]] = {"header": {}, "querystring": {}, "path": {}}
    for name, source in (integration.request_parameters or {}).items():
        _, _, place, key = name.split(".", 3)
        value = source_of(arrival, source)
        if value is not None:
            raw = place != "path" or integration.type == "HTTP" or not source.startswith("method.")
            found[place][key] = value if raw else _of_path(value)
    overrides = context["requestOverride"] if context is not None else {}
    for place, values in found.items():
        for key, value in overrides.get(place, {}).items():
            values[str(key)] = value if isinstance(value, str) else json.dumps(value)
    return found


def _of_path(value: str) -> str:
    """What a client sent, for a place in a path: no more than that, whatever it is (`?`, `#`, line ends)."""
    return quote(value, safe="/:@!$&'()*+,;=~[]|")


def source_of(arrival: Arrival, source: str) -> str | None:
    """What a mapping expression of a request gives; None: nothing."""
    if len(source) >= 2 and source[0] == source[-1] == "'":
        return source[1:-1]
    if source.startswith("method.request.body."):
        return _member(arrival.body, source.removeprefix("method.request.body."))
    if source.startswith("method.request."):
        return arrival.parameter(source)
    return refusals.lookup(source, arrival.context, arrival.view.variables)


def answered(arrival: Arrival, source: str, headers: tuple[tuple[str, str], ...], body: bytes) -> str | None:
    """What a mapping expression of a response gives; None: nothing."""
    if len(source) >= 2 and source[0] == source[-1] == "'":
        return source[1:-1]
    for place, many in (("integration.response.header.", False), ("integration.response.multivalueheader.", True)):
        if source.startswith(place):
            name = source.removeprefix(place).lower()
            values = [value for key, value in headers if key.lower() == name]
            return (", ".join(values) if many else values[-1]) if values else None
    if source == "integration.response.body":
        return body.decode("utf-8", "replace")
    if source.startswith("integration.response.body."):
        return _member(body, source.removeprefix("integration.response.body."))
    return refusals.lookup(source, arrival.context, arrival.view.variables)


def _member(body: bytes, path: str) -> str | None:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for part in path.replace("]", "").replace("[", ".").split("."):
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, dict) else None
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def sent_body(arrival: Arrival, integration: Integration) -> bytes:
    """The body for a template or for the integration, by the method's content handling; `RefusedError`."""
    binary = is_binary(arrival.view.api.head.binary_media_types, arrival.header("content-type"))
    return converted(arrival.body, integration.content_handling, binary=binary)


def converted(body: bytes, handling: str | None, *, binary: bool) -> bytes:
    """A body as its handling says. `binary`: it is bytes now."""
    if handling == "CONVERT_TO_TEXT" and binary:
        return base64.b64encode(body)
    if handling == "CONVERT_TO_BINARY" and not binary:
        try:
            return base64.b64decode(body, validate=True)
        except ValueError:
            raise internal("Unable to base64 decode the body.", "API_CONFIGURATION_ERROR") from None
    return body
