"""From a request to the event that a function is called with: the payload formats 1.0 and 2.0. Pure.

Where the documentation leaves room, this does what API Gateway does: in format 2.0 header names are in lower case,
repeated headers and parameters joined by commas, cookies a list of their own, and what there is none of is left out; in
format 1.0 all values stand beside the last, and what there is none of is null. A body is text where its type says so,
base64 otherwise, forms included.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec

from mayfly.services.apis.http.exchange import Exchange, common_log_time
from mayfly.services.contract import HttpRequest, join_headers

_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
_TEXT_SUFFIXES = ("+json", "+xml")
# What format 1.0 writes with capitals: what API Gateway itself adds or reads.
_WRITTEN: Final = {
    "content-length": "Content-Length",
    "content-type": "Content-Type",
    "host": "Host",
    "user-agent": "User-Agent",
    "x-amzn-trace-id": "X-Amzn-Trace-Id",
    "x-forwarded-for": "X-Forwarded-For",
    "x-forwarded-port": "X-Forwarded-Port",
    "x-forwarded-proto": "X-Forwarded-Proto",
}
_encode = msgspec.json.encode


def format_2(exchange: Exchange) -> bytes:
    """The JSON of an event in format 2.0."""
    request = exchange.request
    fields = request.joined()
    shown: dict[str, Any] = {
        "version": "2.0",
        "routeKey": exchange.route_key,
        "rawPath": exchange.raw_path,
        "rawQueryString": request.query,
        "headers": headers(exchange, fields),
        "requestContext": context_2(exchange),
        "isBase64Encoded": False,
    }
    if "cookie" in fields and (cookies := cookies_of(request)):
        shown["cookies"] = cookies
    if request.query and (query := query_parameters(request.query)):
        shown["queryStringParameters"] = query
    if exchange.parameters:
        shown["pathParameters"] = exchange.parameters
    if exchange.stage.variables:
        shown["stageVariables"] = exchange.stage.variables
    if exchange.body:
        shown["body"], shown["isBase64Encoded"] = body(exchange.body, request.header("content-type"))
    return _encode(shown)


def headers(exchange: Exchange, fields: Mapping[str, str]) -> dict[str, str]:
    """All headers but cookies, and those that API Gateway adds; `fields` are the request's, joined."""
    request = exchange.request
    shown = dict(fields)
    shown.pop("cookie", None)
    forwarded = shown.get("x-forwarded-for")
    _, _, port = request.host.rpartition(":")
    shown["host"] = request.host
    shown["x-amzn-trace-id"] = exchange.trace_id
    shown["x-forwarded-for"] = f"{forwarded}, {request.source_ip}" if forwarded else request.source_ip
    shown["x-forwarded-proto"] = "http"
    shown["x-forwarded-port"] = port if port.isdecimal() else "80"
    shown.setdefault("content-length", str(len(exchange.body)))
    return shown


def context_2(exchange: Exchange) -> dict[str, Any]:
    """The requestContext of format 2.0."""
    request, route = exchange.request, exchange.route
    context: dict[str, Any] = {
        "accountId": exchange.api.account,
        "apiId": exchange.api.id,
        "domainName": exchange.domain,
        "domainPrefix": exchange.domain_prefix,
        "http": {
            "method": request.method,
            "path": exchange.raw_path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": request.request_id,
        "routeKey": "" if route is None else route.key,
        "stage": exchange.stage.name,
        "time": common_log_time(exchange.at),
        "timeEpoch": int(exchange.at * 1000),
    }
    if exchange.authorizer is not None:
        context["authorizer"] = exchange.authorizer
    return context


def format_1(exchange: Exchange) -> bytes:
    """The JSON of an event in format 1.0."""
    request, route = exchange.request, exchange.route
    listed = headers_1(exchange)
    query = query_values(request.query)
    text, encoded = body(exchange.body, request.header("content-type")) if exchange.body else (None, False)
    shown = {
        "version": "1.0",
        "resource": "" if route is None else route.path,
        "path": exchange.client_path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in listed.items()},
        "multiValueHeaders": listed,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": context_1(exchange),
        "pathParameters": exchange.parameters or None,
        "stageVariables": exchange.stage.variables or None,
        "body": text,
        "isBase64Encoded": encoded,
    }
    return _encode(shown)


def headers_1(exchange: Exchange) -> dict[str, list[str]]:
    """All values of all headers, those included that API Gateway adds."""
    request = exchange.request
    added = headers(exchange, {"x-forwarded-for": request.joined().get("x-forwarded-for", "")})
    listed: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name not in added:
            listed.setdefault(_WRITTEN.get(name, name), []).append(value)
    for name, value in added.items():
        listed[_WRITTEN.get(name, name)] = [value]
    return dict(sorted(listed.items()))


def context_1(exchange: Exchange) -> dict[str, Any]:
    """The requestContext of format 1.0."""
    request, route = exchange.request, exchange.route
    return {
        "accountId": exchange.api.account,
        "apiId": exchange.api.id,
        "authorizer": authorizer_1(exchange.authorizer),
        "domainName": exchange.domain,
        "domainPrefix": exchange.domain_prefix,
        "extendedRequestId": request.request_id,
        "httpMethod": request.method,
        "identity": identity_1(exchange),
        "path": exchange.client_path,
        "protocol": request.protocol,
        "requestId": request.request_id,
        "requestTime": common_log_time(exchange.at),
        "requestTimeEpoch": int(exchange.at * 1000),
        "resourceId": None,
        "resourcePath": "" if route is None else route.path,
        "stage": exchange.stage.name,
    }


def authorizer_1(shown: Mapping[str, Any] | None) -> dict[str, Any]:
    """What format 1.0 says of an authorizer: claims of a JWT, or the context that a function gave, flat."""
    if shown is None:
        return {"claims": None, "scopes": None}
    if "jwt" in shown:
        return dict(shown["jwt"])
    if "lambda" in shown:
        return dict(shown["lambda"] or {})
    return {"claims": None, "scopes": None}


def identity_1(exchange: Exchange) -> dict[str, Any]:
    """Who calls, as format 1.0 says it."""
    request = exchange.request
    iam = (exchange.authorizer or {}).get("iam") or {}
    return {
        "accessKey": iam.get("accessKey"),
        "accountId": iam.get("accountId"),
        "caller": iam.get("callerId"),
        "cognitoAuthenticationProvider": None,
        "cognitoAuthenticationType": None,
        "cognitoIdentityId": None,
        "cognitoIdentityPoolId": None,
        "principalOrgId": None,
        "sourceIp": request.source_ip,
        "user": iam.get("userId"),
        "userAgent": request.header("user-agent") or "",
        "userArn": iam.get("userArn"),
    }


def cookies_of(request: HttpRequest) -> list[str]:
    """Every cookie, `name=value`."""
    given = [value for name, value in request.headers if name == "cookie"]
    return [cookie for value in given for part in value.split(";") if (cookie := part.strip())]


def query_parameters(query: str) -> dict[str, str]:
    """Decoded parameters; those that are repeated joined by commas."""
    return join_headers(query_pairs(query))


def query_values(query: str) -> dict[str, list[str]]:
    """Decoded parameters with all their values."""
    values: dict[str, list[str]] = {}
    for name, value in query_pairs(query):
        values.setdefault(name, []).append(value)
    return values


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Decoded parameters in order."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


def body(content: bytes, content_type: str | None) -> tuple[str, bool]:
    """A body as an event carries it, and whether that is base64."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind.startswith(_TEXT) or kind.endswith(_TEXT_SUFFIXES):
        try:
            return content.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(content).decode(), True
