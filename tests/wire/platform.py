"""A gateway with services made for the test, and botocore clients whose requests go to it without a socket."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.awsrequest
from botocore.config import Config

from mayfly.clock import SystemClock
from mayfly.services.contract import Handler, HttpRequest, HttpResponse, Principal, RequestContext, ServiceError
from mayfly.services.ports import SigningKey
from mayfly.settings import Settings
from mayfly.wire.gateway import Gateway
from mayfly.wire.models import Models
from mayfly.wire.operations import Catalogue

ACCESS_KEY = "AKIAMAYFLYTESTKEY000"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # the example key of AWS's own documentation
TOKEN = "session-token/with+odd=characters"
MODELS = Models()  # loading them is the slow part


@dataclass
class Keys:
    """One key, with or without a session token."""

    token: str | None = None

    async def find(self, access_key_id: str, session_token: str | None) -> SigningKey:
        if access_key_id != ACCESS_KEY or session_token != self.token:
            raise ServiceError("InvalidClientTokenId", "The security token included in the request is invalid.")
        return SigningKey(SECRET, Principal("root", "000000000000", "arn:aws:iam::000000000000:root", "000000000000"))


@dataclass
class Recorder:
    """A service whose operations record their input and answer what the test says."""

    name: str
    replies: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    contexts: list[RequestContext] = field(default_factory=list)

    @property
    def operations(self) -> Mapping[str, Handler]:
        return {name: self._handler(name) for name in self.replies}

    def _handler(self, name: str) -> Handler:
        async def handle(context: RequestContext, params: dict[str, Any]) -> Any:
            read = {}
            for key, value in params.items():
                if hasattr(value, "__aiter__"):
                    read[key] = b"".join([piece async for piece in value])
                    read.update(getattr(value, "trailers", {}))
                else:
                    read[key] = value
            self.calls.append((name, read))
            self.contexts.append(context)
            reply = self.replies[name]
            if isinstance(reply, Exception):
                raise reply
            return reply(params) if callable(reply) else reply

        return handle


@dataclass
class Stream:
    """Bytes as a `ByteStream`, in pieces of a given size."""

    data: bytes
    piece: int = 64 * 1024
    known_length: bool = True

    @property
    def length(self) -> int | None:
        return len(self.data) if self.known_length else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.data), self.piece):
            yield self.data[start : start + self.piece]


def gateway(
    *services: Recorder, keys: Keys | None = None, clock: Any = None, settings: Settings | None = None
) -> Gateway:
    return Gateway(
        {service.name: service for service in services},
        keys or Keys(),
        settings or Settings(data=Path("unused")),
        clock or SystemClock(),
        Catalogue(MODELS, frozenset(service.name for service in services), on_the_spot=False),
    )


def run(coroutine: Coroutine[Any, Any, HttpResponse]) -> HttpResponse:
    """The coroutine's value, also where an event loop runs already."""
    results: list[HttpResponse] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(asyncio.run(coroutine))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    if errors:
        raise errors[0]
    return results[0]


async def read_body(response: HttpResponse) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([piece async for piece in response.body])


def http_request(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    request_id: str = "00000000-0000-4000-8000-000000000000",
    piece: int = 64 * 1024,
) -> HttpRequest:
    parts = urlsplit(url)
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    lowered.setdefault("host", parts.netloc)
    return HttpRequest(
        method=method,
        path=parts.path or "/",
        query=parts.query,
        headers=list(lowered.items()),
        body=Stream(body, piece),
        host=lowered["host"],
        source_ip="127.0.0.1",
        request_id=request_id,
    )


def prepared_to_http(request: Any) -> HttpRequest:
    """A botocore request, just before it would be sent, as the server would deliver it."""
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes | bytearray):
        body = body.read()
    headers = {
        name: value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    return http_request(request.method, request.url, headers, bytes(body))


class _Raw:
    """What botocore reads a response's body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> Any:
        yield self._body

    def read(self, amt: int | None = None, **_: object) -> bytes:
        cut = len(self._body) if amt is None else amt
        head, self._body = self._body[:cut], self._body[cut:]
        return head

    def tell(self) -> int:
        return 0


def client(
    door: Gateway,
    service: str,
    *,
    url: str = "http://127.0.0.1:4566",
    seen: Callable[[HttpRequest, HttpResponse], None] | None = None,
    tamper: Callable[[Any], None] | None = None,
    token: str | None = None,
    **config: Any,
) -> Any:
    """A botocore client of `service` whose requests go to `door`. `tamper` may change a request after it was signed."""

    def send(request: Any, **_: Any) -> Any:
        if tamper is not None:
            tamper(request)
        http = prepared_to_http(request)

        async def exchange() -> HttpResponse:
            answer = await door.handle(http)
            return HttpResponse(answer.status, answer.headers, await read_body(answer), answer.close)

        response = run(exchange())
        if seen is not None:
            seen(http, response)
        assert isinstance(response.body, bytes)
        headers: Any = botocore.awsrequest.HeadersDict(dict(response.headers))
        return botocore.awsrequest.AWSResponse(request.url, response.status, headers, _Raw(response.body))

    session: Any = boto3.session.Session(  # Any: the name of the service is a parameter
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET,
        aws_session_token=token,
        region_name="us-east-1",
    )
    made = session.client(service, endpoint_url=url, config=Config(retries={"max_attempts": 0}, **config))
    made.meta.events.register_last("before-send", send)
    return made
