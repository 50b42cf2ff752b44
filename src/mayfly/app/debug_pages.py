"""Debuggers over HTTP, below `/_mayfly/debug`: what `mayfly debug` speaks to. For the account's root key.

POST /debug/NAME         debug a function: {"archive": a zip in base64, "handler", "variables"}; the answer goes on
                         as long as the session does, a line of JSON each time its instance stands otherwise:
                         {"state": "starting", "ready", "failed" or "ended", "reason", "root"}
GET /debug/NAME/PORT     with `Upgrade: mayfly-debug`: a connection to that port in the instance
DELETE /debug/NAME       end the session; so does who closes the connection of the first
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from urllib.parse import unquote

import msgspec

from mayfly.app import own
from mayfly.engine.streamed import Upstream
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError, StreamBody
from mayfly.services.functions.development.debugging import (
    DebuggedError,
    Debugging,
    NotDebuggedError,
    NotListeningError,
    Told,
    Wanted,
)
from mayfly.services.functions.development.sessions import UnswappableError
from mayfly.wire.signed import SignedRequests

PROTOCOL = "mayfly-debug"
MOST_BODY = 96 << 20
_CHUNK = 64 << 10


class DebugPages:
    """See the module. `settled` returns when a change is known wherever calls are answered."""

    def __init__(self, signed: SignedRequests, debugging: Debugging, settled: Callable[[], Awaitable[None]]) -> None:
        self._signed = signed
        self._debugging = debugging
        self._settled = settled
        self._ending: set[asyncio.Task[None]] = set()

    def table(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Pages by the path segment below `/_mayfly/`."""
        return {"debug": self.answer}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request of any method."""
        try:
            body = await own.small_body(request, MOST_BODY)
            if refused := await own.refusal(self._signed, request, body):
                return refused
            parts = [unquote(part) for part in request.path.split("/") if part][2:]
            match request.method, parts:
                case "POST", [name]:
                    return await self._opened(request, name, msgspec.json.decode(body, type=Wanted))
                case "DELETE", [name]:
                    await self._debugging.end(name)
                    await self._settled()
                    return own.shown({})
                case "GET", [name, port] if port.isascii() and port.isdecimal() and len(port) < 6:
                    return await self._connected(request, name, int(port))
            return own.said(404, f"there is no {request.method} {request.path}")
        except ServiceError as error:
            missing = error.code == "ResourceNotFoundException"
            return own.said(error.status or (404 if missing else 400), error.message)
        except NotDebuggedError as error:
            return own.said(404, str(error))
        except DebuggedError as error:
            return own.said(409, str(error))
        except own.BodyTooLargeError as error:
            return own.said(413, str(error), close=True)
        except (UnswappableError, msgspec.DecodeError) as error:
            return own.said(400, str(error))
        except NotListeningError as error:
            return own.said(504, str(error))

    async def _opened(self, request: HttpRequest, name: str, wanted: Wanted) -> HttpResponse:
        told = await self._debugging.open(name, wanted)
        if request.client is not None:
            session = self._debugging.current(name)
            request.client.when_gone(lambda: self._left(name, session))
        await self._settled()
        return HttpResponse(200, [("content-type", "application/x-ndjson")], StreamBody(_lines(told)))

    def _left(self, name: str, session: object) -> None:
        ending = asyncio.get_running_loop().create_task(
            self._debugging.end(name, session), name=f"end of {name}'s debugger"
        )
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _connected(self, request: HttpRequest, name: str, port: int) -> HttpResponse:
        if (request.header("upgrade") or "").lower() != PROTOCOL:
            return own.said(426, f"say Upgrade: {PROTOCOL}")
        made = await self._debugging.dial(name, port)
        upstream = Upstream()
        return HttpResponse(101, [("upgrade", PROTOCOL)], StreamBody(_relayed(made, upstream)), tunnel=upstream)


async def _lines(told: AsyncGenerator[Told, None]) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(told):
        async for one in told:
            yield msgspec.json.encode(one) + b"\n"


async def _relayed(made: socket.socket, upstream: Upstream) -> AsyncIterator[bytes]:
    """What the instance sends, while what the client sends goes there."""
    loop = asyncio.get_running_loop()

    async def send() -> None:
        with contextlib.suppress(OSError):
            async for part in upstream:
                await loop.sock_sendall(made, part)
            made.shutdown(socket.SHUT_WR)

    sending = loop.create_task(send(), name="to a debugger")
    try:
        with contextlib.suppress(OSError):
            while part := await loop.sock_recv(made, _CHUNK):
                yield part
    finally:
        upstream.end()
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        made.close()
