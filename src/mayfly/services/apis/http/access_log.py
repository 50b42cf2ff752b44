"""Access logs of HTTP APIs: a line for every request, in the format that the stage asks for.

The format is compiled once; rendering is pure. `$context` variables are those that the Developer Guide lists for HTTP
APIs; what there is no value for is a dash.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from mayfly.services.apis.http.exchange import Exchange, common_log_time
from mayfly.services.contract import HttpResponse
from mayfly.services.ports import LogLines

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_:-]+)*)")
_STREAM = "access"


class AccessLog:
    """Where the lines of a stage go, and what they look like."""

    def __init__(self, group: str, form: str, api_id: str, stage: str) -> None:
        self._group = group
        self._stream = f"{_STREAM}/{api_id}/{stage.replace('$', '')}"
        self._parts = _VARIABLE.split(form)  # text, name, text, name, ..., text

    @classmethod
    def of(cls, settings: Mapping[str, Any] | None, api_id: str, stage: str) -> "AccessLog | None":
        """The log that a stage's settings ask for; None: they ask for none."""
        if not settings or not settings.get("DestinationArn") or not settings.get("Format"):
            return None
        group = settings["DestinationArn"].split(":log-group:", 1)[1].removesuffix(":*")
        return cls(group, settings["Format"], api_id, stage)

    def line(self, exchange: Exchange, response: HttpResponse, latency_ms: int) -> LogLines:
        """What is logged of a request and its response."""
        return self.written(exchange.at, lambda name: value(name, exchange, response, latency_ms))

    def written(self, at: float, said: Callable[[str], str]) -> LogLines:
        """The line of what happened at `at` (Unix seconds); `said`: what a variable says. For every kind of API."""
        parts = list(self._parts)
        for place in range(1, len(parts), 2):
            parts[place] = said(parts[place])
        return LogLines(self._group, self._stream, [(int(at * 1000), "".join(parts))])


def value(name: str, exchange: Exchange, response: HttpResponse, latency_ms: int) -> str:
    """What a variable says."""
    found = context_value(name, exchange)
    if found is not None:
        return found or "-"
    if name == "status":
        return str(response.status)
    if name == "responseLength":
        return str(len(response.body)) if isinstance(response.body, bytes) else "-"
    if name == "responseLatency":
        return str(latency_ms)
    return "-"


def context_value(name: str, exchange: Exchange) -> str | None:
    """What `$context.name` says of a request while it is answered; None: nothing."""
    simple = _SIMPLE.get(name)
    if simple is not None:
        found = simple(exchange)
    elif name.startswith("authorizer."):
        found = _of_authorizer(exchange, name.removeprefix("authorizer."))
    else:
        return None
    if found is None:
        return None
    return str(found).lower() if isinstance(found, bool) else str(found)


def _of_authorizer(exchange: Exchange, name: str) -> object:
    shown = exchange.authorizer or {}
    if name.startswith("claims."):
        return ((shown.get("jwt") or {}).get("claims") or {}).get(name.removeprefix("claims."))
    if name == "principalId":
        return (shown.get("lambda") or {}).get("principalId")
    return (shown.get("lambda") or {}).get(name)


def _iam(name: str) -> Callable[[Exchange], object]:
    return lambda exchange: ((exchange.authorizer or {}).get("iam") or {}).get(name)


def _quoted(exchange: Exchange) -> str | None:
    return None if exchange.error is None else f'"{exchange.error}"'


_SIMPLE: Mapping[str, Callable[[Exchange], object]] = {
    "accountId": lambda exchange: exchange.api.account,
    "apiId": lambda exchange: exchange.api.id,
    "authorizer.error": lambda exchange: exchange.authorizer_error,
    "authorizer.integrationLatency": lambda exchange: exchange.authorizer_latency_ms,
    "authorizer.integrationStatus": lambda exchange: exchange.authorizer_status,
    "authorizer.latency": lambda exchange: exchange.authorizer_latency_ms,
    "authorizer.status": lambda exchange: exchange.authorizer_status,
    "awsEndpointRequestId": lambda exchange: exchange.integration_request_id,
    "customDomain.basePathMatched": lambda exchange: exchange.base_path,
    "dataProcessed": lambda exchange: len(exchange.body),
    "domainName": lambda exchange: exchange.domain,
    "domainPrefix": lambda exchange: exchange.domain_prefix,
    "error.message": lambda exchange: exchange.error,
    "error.messageString": _quoted,
    "error.responseType": lambda exchange: exchange.error_type,
    "extendedRequestId": lambda exchange: exchange.request.request_id,
    "httpMethod": lambda exchange: exchange.request.method,
    "identity.accountId": _iam("accountId"),
    "identity.caller": _iam("callerId"),
    "identity.sourceIp": lambda exchange: exchange.request.source_ip,
    "identity.user": _iam("userId"),
    "identity.userAgent": lambda exchange: exchange.request.header("user-agent"),
    "identity.userArn": _iam("userArn"),
    "integration.error": lambda exchange: exchange.integration_error,
    "integration.integrationStatus": lambda exchange: exchange.function_status,
    "integration.latency": lambda exchange: exchange.integration_latency_ms,
    "integration.requestId": lambda exchange: exchange.integration_request_id,
    "integration.status": lambda exchange: exchange.integration_status,
    "integrationErrorMessage": lambda exchange: exchange.integration_error,
    "integrationLatency": lambda exchange: exchange.integration_latency_ms,
    "integrationStatus": lambda exchange: exchange.function_status,
    "path": lambda exchange: exchange.raw_path,
    "protocol": lambda exchange: exchange.request.protocol,
    "requestId": lambda exchange: exchange.request.request_id,
    "requestTime": lambda exchange: common_log_time(exchange.at),
    "requestTimeEpoch": lambda exchange: int(exchange.at * 1000),
    "routeKey": lambda exchange: exchange.route_key,
    "stage": lambda exchange: exchange.stage.name,
    "xrayTraceId": lambda exchange: exchange.trace_id,
}
