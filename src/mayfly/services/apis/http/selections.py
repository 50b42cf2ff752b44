"""What selections of parameter mappings stand for in a request and in its response. Pure.

`request.header.name`, `request.querystring.name`, `request.path`, `request.path.name`, `request.body`,
`request.body.a.b`, `response.header.name`, `response.body.a.b`, `context.name`, `stageVariables.name`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from mayfly.services.apis.http.access_log import context_value
from mayfly.services.apis.http.events import query_parameters
from mayfly.services.apis.http.exchange import Exchange

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\['([^']+)'\]")
MOST_BODY: Final = 100 * 1024  # bytes of a body that a selection looks at


def request_value(exchange: Exchange, name: str) -> str | None:
    """What a selection stands for before an integration is called; None: nothing."""
    where, _, rest = name.partition(".")
    if where == "context":
        return context_value(rest, exchange)
    if where == "stageVariables":
        return exchange.stage.variables.get(rest)
    if where != "request":
        return None
    kind, _, rest = rest.partition(".")
    if kind == "header":
        return exchange.request.joined().get(rest.lower())
    if kind == "querystring":
        return query_parameters(exchange.request.query).get(rest)
    if kind == "path":
        return exchange.parameters.get(rest) if rest else exchange.path
    if kind.partition("[")[0] == "body":
        return body_value(exchange.body, name.removeprefix("request.body"))
    return None


def response_value(exchange: Exchange, headers: Mapping[str, str], body: bytes, name: str) -> str | None:
    """What a selection stands for in the response of an integration, whose headers have lower-case names."""
    if name.startswith("response.header."):
        return headers.get(name.removeprefix("response.header.").lower())
    if name.startswith("response.body"):
        return body_value(body, name.removeprefix("response.body"))
    return request_value(exchange, name) if not name.startswith("request.") else None


def body_value(body: bytes, path: str) -> str | None:
    """What a body has at a path (`.a.b[0]`), as text; all of it for no path; None: nothing."""
    if not path:
        return body.decode("utf-8", "replace")
    try:
        value = json.loads(body[:MOST_BODY])
    except (ValueError, RecursionError):
        return None
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return None
        value = _member(value, step)
        if value is None:
            return None
        at = step.end()
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _member(value: Any, step: re.Match[str]) -> Any:
    if step[2] is not None:
        index = int(step[2])
        return value[index] if isinstance(value, list) and index < len(value) else None
    return value.get(step[1] or step[3]) if isinstance(value, dict) else None
