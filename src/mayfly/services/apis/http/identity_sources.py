"""What an authorizer is told of a caller: the values of its identity sources. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from mayfly.services.apis.http.access_log import context_value
from mayfly.services.apis.http.events import query_parameters
from mayfly.services.apis.http.exchange import Exchange

Source = Callable[[Exchange], str | None]
_HEADER: Final = "$request.header."
_QUERY: Final = "$request.querystring."
_CONTEXT: Final = "$context."
_VARIABLE: Final = "$stageVariables."


def source(text: str) -> Source:
    """What finds the value of one identity source; ValueError."""
    if text.startswith(_HEADER):
        header = text.removeprefix(_HEADER).lower()
        return lambda exchange: exchange.request.joined().get(header)
    if text.startswith(_QUERY):
        name = text.removeprefix(_QUERY)
        return lambda exchange: query_parameters(exchange.request.query).get(name)
    if text.startswith(_CONTEXT):
        name = text.removeprefix(_CONTEXT)
        return lambda exchange: context_value(name, exchange)
    if text.startswith(_VARIABLE):
        name = text.removeprefix(_VARIABLE)
        return lambda exchange: exchange.stage.variables.get(name)
    raise ValueError(f"Invalid identity source specified: {text}")


def values(sources: Sequence[Source], exchange: Exchange) -> list[str] | None:
    """The values of all of them; None where one has none."""
    found = []
    for each in sources:
        value = each(exchange)
        if not value:
            return None
        found.append(value)
    return found
