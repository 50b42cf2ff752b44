"""AWS: operations of services, as requests that the integration's role makes, in process."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit

from msgspec.structs import replace

from mayfly.services.apis.integrations import uris
from mayfly.services.apis.integrations.api import Backend, Call, IntegrationError, Outcome
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.ports import ServiceRequests

MOST_BODY = 10 * 1024 * 1024
SESSION = "BackplaneAssumeRoleSession"  # what API Gateway calls its sessions
# Services that templates name by what their endpoints are called, and Mayfly otherwise.
_UNSUPPORTED = {
    "appconfig": "AppConfig",
    "firehose": "Amazon Data Firehose",
    "kinesis": "Kinesis Data Streams",
    "appsync": "AppSync",
}


class Services:
    """`api.Backend` of AWS: `Call.uri` is `arn:aws:apigateway:…`; functions are called by `functions`."""

    def __init__(self, requests: ServiceRequests, roles: ExecutionRoles, functions: Backend, url: str) -> None:
        self._requests = requests
        self._roles = roles
        self._functions = functions
        self._host = urlsplit(url).netloc

    async def send(self, call: Call) -> Outcome:
        """See `api.Backend`."""
        uri = uris.read(call.uri)
        if uri is None:
            raise IntegrationError("configuration", f"{call.uri!r} is no URI of an integration with a service")
        if (arn := uri.function_arn) is not None:
            return await self._functions.send(replace(call, uri=arn))
        if not self._requests.knows(uri.service):
            name = _UNSUPPORTED.get(uri.service, uri.service)
            raise IntegrationError("configuration", f"Mayfly has no {name}, so nothing can be integrated with it")
        if call.credentials is None:
            raise IntegrationError("configuration", "An integration with a service needs credentials: a role's ARN")
        try:
            principal = call.as_caller or await self._roles.principal(call.credentials, SESSION)
            request = _request(call, uri, self._host)
            async with asyncio.timeout(call.timeout_s):
                response = await self._requests.send(request, principal, uri.service, uri.region, uri.action)
                body = await _body(response)
        except TimeoutError as error:
            raise IntegrationError("timeout", f"{uri.service} did not answer within {call.timeout_s:g} s") from error
        except ServiceError as error:
            raise IntegrationError("configuration", f"{error.code}: {error.message}") from error
        return Outcome(response.status, tuple(response.headers), body)


def _request(call: Call, uri: uris.ServiceUri, host: str) -> HttpRequest:
    """The request to the service. What the template wrote in place of `{key}` is encoded where it has to be."""
    path = quote(uri.path, safe="/:%!$&'()*+,;=@~-._") if uri.path is not None else "/"
    if uri.service == "s3" and uri.subdomain is not None:
        path = f"/{uri.subdomain}{path}"
    added = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in call.query]
    headers = [(name.lower(), value) for name, value in call.headers if name.lower() != "host"]
    names = {name for name, _ in headers}
    if "content-type" not in names and call.body:
        headers.append(("content-type", "application/json"))
    if "content-length" not in names:
        headers.append(("content-length", str(len(call.body))))
    headers.append(("host", host))
    return HttpRequest(
        call.method,
        path,
        "&".join(part for part in (uri.query, *added) if part),
        headers,
        _Whole(call.body),
        host,
        "apigateway.amazonaws.com",
        call.request_id,
        content=call.body,
    )


class _Whole:
    """A `ByteStream` over bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length: int | None = len(content)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


async def _body(response: HttpResponse) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    whole = bytearray()
    async for chunk in response.body:
        whole += chunk
        if len(whole) > MOST_BODY:
            raise IntegrationError("too-large", f"The service answered with more than {MOST_BODY} bytes")
    return bytes(whole)
