"""Events that stand for HTTP requests. Pure.

Each takes `path`, `method`, `query` (`a=1&b=2`), `body` and `header` (`Name: value`) where the trigger has them.
"""

from typing import Any
from urllib.parse import parse_qsl

from mayfly.cli.samples.place import Place

_IP, _AGENT = "192.0.2.1", "mayfly"
_API = "a1b2c3d4e5"  # the id of API Gateway's APIs here


def _headers(host: str, header: str, body: str) -> dict[str, str]:
    headers = {
        "accept": "*/*",
        "host": host,
        "user-agent": _AGENT,
        "x-amzn-trace-id": "Root=1-5e1b4151-5ac6c58f3375aa3c7c6b73c9",
        "x-forwarded-for": _IP,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    if body:
        headers |= {"content-type": "application/json", "content-length": str(len(body.encode()))}
    if name := header.partition(":")[0].strip().lower():
        headers[name] = header.partition(":")[2].strip()
    return headers


def _domain(place: Place) -> str:
    return f"{_API}.execute-api.{place.region}.amazonaws.com"


def _twice(headers: dict[str, str]) -> dict[str, Any]:
    """As a REST API shows them: by their values, and by lists of these."""
    return {"headers": headers, "multiValueHeaders": {name: [value] for name, value in headers.items()}}


def url(
    place: Place,
    *,
    path: str = "/",
    method: str = "GET",
    query: str = "",
    body: str = "",
    header: str = "",
    route: str = "$default",
) -> dict[str, Any]:
    """A request to a function URL."""
    api = "abcdefghijklmnopqrstuvwxyz012345"
    domain = f"{api}.lambda-url.{place.region}.on.aws"
    return _version_2(place, api, domain, route, path, method, query, body, header)


def http_api(
    place: Place,
    *,
    path: str = "/hello",
    method: str = "GET",
    query: str = "",
    body: str = "",
    header: str = "",
    route: str = "",
) -> dict[str, Any]:
    """A request to an HTTP API (payload format 2.0)."""
    domain = _domain(place)
    return _version_2(place, _API, domain, route or f"{method} {path}", path, method, query, body, header)


def _version_2(
    place: Place, api: str, domain: str, route: str, path: str, method: str, query: str, body: str, header: str
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": _headers(domain, header, body),
        "requestContext": {
            "accountId": "anonymous" if route == "$default" else place.account,
            "apiId": api,
            "domainName": domain,
            "domainPrefix": api,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": _IP, "userAgent": _AGENT},
            "requestId": place.new_id(),
            "routeKey": route,
            "stage": "$default",
            "time": place.common_log,
            "timeEpoch": place.millis,
        },
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = dict(parse_qsl(query))
    if body:
        event["body"] = body
    return event


def rest_api(
    place: Place,
    *,
    path: str = "/hello",
    method: str = "GET",
    query: str = "",
    body: str = "",
    header: str = "",
    resource: str = "",
    stage: str = "prod",
) -> dict[str, Any]:
    """A request to a REST API (payload format 1.0)."""
    domain = _domain(place)
    headers = _headers(domain, header, body)
    parameters = parse_qsl(query)
    return {
        "version": "1.0",
        "resource": resource or path,
        "path": path,
        "httpMethod": method,
        **_twice(headers),
        "queryStringParameters": dict(parameters) or None,
        "multiValueQueryStringParameters": {
            name: [value for key, value in parameters if key == name] for name, _ in parameters
        }
        or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": place.account,
            "apiId": _API,
            "authorizer": None,
            "domainName": domain,
            "domainPrefix": _API,
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "httpMethod": method,
            "identity": _identity(),
            "path": f"/{stage}{path}",
            "protocol": "HTTP/1.1",
            "requestId": place.new_id(),
            "requestTime": place.common_log,
            "requestTimeEpoch": place.millis,
            "resourceId": "123456",
            "resourcePath": resource or path,
            "stage": stage,
        },
        "body": body or None,
        "isBase64Encoded": False,
    }


def _identity() -> dict[str, Any]:
    absent = (
        *("accessKey", "accountId", "apiKey", "apiKeyId", "caller", "cognitoAuthenticationProvider"),
        *("cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user"),
        *("userArn", "clientCert"),
    )
    return {**dict.fromkeys(absent), "sourceIp": _IP, "userAgent": _AGENT}


def alb(
    place: Place,
    *,
    path: str = "/",
    method: str = "GET",
    query: str = "",
    body: str = "",
    header: str = "",
    target: str = "my-targets",
) -> dict[str, Any]:
    """A request that a load balancer hands on."""
    arn = place.arn("elasticloadbalancing", f"targetgroup/{target}/49e9d65c45c6791a")
    return {
        "requestContext": {"elb": {"targetGroupArn": arn}},
        "httpMethod": method,
        "path": path,
        "queryStringParameters": dict(parse_qsl(query)),
        "headers": _headers(f"lb-1.{place.region}.elb.amazonaws.com", header, body),
        "body": body,
        "isBase64Encoded": False,
    }


def websocket(
    place: Place, *, body: str = "Hello!", route: str = "$default", event: str = "MESSAGE", stage: str = "prod"
) -> dict[str, Any]:
    """CONNECT, MESSAGE or DISCONNECT of a WebSocket API."""
    kind = event.upper()
    domain = _domain(place)
    context: dict[str, Any] = {
        "routeKey": route if kind == "MESSAGE" else f"${kind.lower()}",
        "eventType": kind,
        "extendedRequestId": "JKJaXmPLvHcESHA=",
        "requestTime": place.common_log,
        "messageDirection": "IN",
        "stage": stage,
        "connectedAt": place.millis,
        "requestTimeEpoch": place.millis,
        "identity": {"sourceIp": _IP, "userAgent": _AGENT},
        "requestId": place.new_id(),
        "domainName": domain,
        "connectionId": "JKJaXcPLvHcCESA=",
        "apiId": _API,
    }
    if kind == "MESSAGE":
        return {"requestContext": {**context, "messageId": "JKJaYdPLvHcCESA="}, "body": body, "isBase64Encoded": False}
    if kind == "DISCONNECT":
        context |= {"disconnectStatusCode": 1000, "disconnectReason": ""}
    return {**_twice(_headers(domain, "", "")), "requestContext": context, "isBase64Encoded": False}


def authorizer(
    place: Place, *, authorization: str = "Bearer abc", path: str = "hello", method: str = "GET"
) -> dict[str, Any]:
    """A request to a TOKEN authorizer of a REST API."""
    return {
        "type": "TOKEN",
        "authorizationToken": authorization,
        "methodArn": place.arn("execute-api", f"{_API}/prod/{method}/{path}"),
    }


def authorizer_v2(
    place: Place, *, authorization: str = "Bearer abc", path: str = "/hello", method: str = "GET"
) -> dict[str, Any]:
    """A request to a Lambda authorizer of an HTTP API (payload format 2.0)."""
    event = http_api(place, path=path, method=method, header=f"authorization: {authorization}")
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": place.arn("execute-api", f"{_API}/$default/{method}{path}"),
        "identitySource": [authorization],
        **{name: event[name] for name in ("routeKey", "rawPath", "rawQueryString", "headers", "requestContext")},
    }
