"""From an HTTP request to the event of a function URL: payload format 2.0. Pure.

Where the format leaves room, this does what AWS does: header names in lower case, repeated headers and query parameters
joined by commas, cookies in a list of their own, a body as text where its type says that it is text and as base64
otherwise (forms included).
"""

import base64
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from msgspec import Struct

from mayfly.services.contract import HttpRequest, Principal, join_headers

_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
_TEXT_SUFFIXES = ("+json", "+xml")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Arrival(Struct, frozen=True):
    """What an event says of a request beside the request itself."""

    url_id: str
    at: float  # Unix seconds
    trace_id: str
    principal: Principal | None = None  # who signed it; None: nobody had to


def event(request: HttpRequest, body: bytes, arrival: Arrival) -> bytes:
    """The JSON of the event."""
    fields = request.joined()
    shown: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers(request, fields, arrival.trace_id),
        "requestContext": _context(request, arrival),
        "isBase64Encoded": False,
    }
    if "cookie" in fields:
        given = [value for name, value in request.headers if name == "cookie"]
        if cookies := [cookie for value in given for cookie in _split_cookies(value)]:
            shown["cookies"] = cookies
    if request.query and (parameters := query_parameters(request.query)):
        shown["queryStringParameters"] = parameters
    if body:
        shown["body"], shown["isBase64Encoded"] = _body(body, request.header("content-type"))
    return msgspec.json.encode(shown)


def headers(request: HttpRequest, fields: Mapping[str, str], trace_id: str) -> dict[str, str]:
    """All headers but cookies, and those that a proxy adds; `fields` are the request's, joined."""
    shown = dict(fields)
    shown.pop("cookie", None)
    forwarded = shown.get("x-forwarded-for")
    _, _, port = request.host.rpartition(":")
    shown["host"] = request.host
    shown["x-amzn-trace-id"] = trace_id
    shown["x-forwarded-for"] = f"{forwarded}, {request.source_ip}" if forwarded else request.source_ip
    shown["x-forwarded-proto"] = "http"
    shown["x-forwarded-port"] = port if port.isdecimal() else "80"
    return shown


def query_parameters(query: str) -> dict[str, str]:
    """Decoded parameters; those that are repeated joined by commas."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return join_headers([(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs])


def _split_cookies(header: str) -> list[str]:
    return [cookie for part in header.split(";") if (cookie := part.strip())]


def _body(body: bytes, content_type: str | None) -> tuple[str, bool]:
    """The body as an event carries it, and whether that is base64."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind.startswith(_TEXT) or kind.endswith(_TEXT_SUFFIXES):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _context(request: HttpRequest, arrival: Arrival) -> dict[str, Any]:
    domain = request.host.partition(":")[0]
    context: dict[str, Any] = {
        "accountId": "anonymous",
        "apiId": arrival.url_id,
        "domainName": domain,
        "domainPrefix": arrival.url_id,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": request.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": _common_log_time(arrival.at),
        "timeEpoch": int(arrival.at * 1000),
    }
    if (caller := arrival.principal) is not None:
        context["accountId"] = caller.account
        context["authorizer"] = {
            "iam": {
                "accessKey": caller.access_key_id,
                "accountId": caller.account,
                "callerId": caller.user_id,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": caller.arn,
                "userId": caller.user_id,
            }
        }
    return context


def _common_log_time(at: float) -> str:
    """`01/Feb/2026:03:04:05 +0000`: English in every locale, which `strftime` is not, and in half its time."""
    year, month, day, hour, minute, second = time.gmtime(at)[:6]
    return f"{day:02d}/{_MONTHS[month - 1]}/{year}:{hour:02d}:{minute:02d}:{second:02d} +0000"
