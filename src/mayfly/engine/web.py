"""The web server among the programs of one instance: finds out whether there is one, and has it answer calls.

`program` makes one and decides between it and the Runtime API: whichever comes first. What the server answers is told
as the frames that a managed runtime would send. Connections are kept for a second at most: no server closes them so
soon, so that a request hardly ever meets one that is being closed.
"""

import asyncio
import contextlib
import gzip
import json
import socket
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from mayfly.engine.api import Call, Target
from mayfly.engine.streamed import Streamed, Upstream
from mayfly.engine.window import Window
from mayfly.sandbox import frames
from mayfly.web_adapter import answers
from mayfly.web_adapter.client import ServerConnection, ServerGoneError
from mayfly.web_adapter.events import BadEventError, WebRequest, request_of
from mayfly.web_adapter.settings import WebSettings

RETRY_S = 0.01  # between two looks whether it is ready, as the adapter of AWS has it
FIRST_LOOK_S = 0.005  # after its start, where it may well be no web server
KEPT_S = 1.0
MOST_BODY = 64 << 20  # of an answer that is wanted as a whole
GIVE_UP_ON_INIT_S = 9.8  # with a slow start: when init is called done all the same
_COMPRESSES_FROM = 1024  # bytes

Dial = Callable[[], Awaitable[socket.socket]]


class Web:
    """See the module."""

    def __init__(
        self,
        settings: WebSettings,
        target: Target,
        environment: Mapping[str, str],
        dial: Dial,
        on_frame: Callable[[frames.Frame], None],
    ) -> None:
        self._settings = settings
        self._target = target
        self._about = _about(target, environment)
        self._dial = dial
        self._on_frame = on_frame
        self._loop = asyncio.get_running_loop()
        self._idle: deque[ServerConnection] = deque()
        self._looking: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._windows: dict[int, Window] = {}

    # Whether there is one.

    def look(self, found: Callable[[], None]) -> None:
        """Call `found` once it is ready for calls; until `close` or `stop_looking`."""
        self._looking = asyncio.create_task(self._look(found), name="web server of an instance")

    def stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self, found: Callable[[], None]) -> None:
        give_up_at = self._loop.time() + GIVE_UP_ON_INIT_S
        told = False
        if not self._settings.demanded:
            await asyncio.sleep(FIRST_LOOK_S)
        while not await self._is_ready():
            if self._settings.slow_start and not told and self._loop.time() >= give_up_at:
                told = True
                found()
            await asyncio.sleep(RETRY_S)
        self._ready.set()
        if not told:
            found()

    async def _is_ready(self) -> bool:
        settings = self._settings
        try:
            connection = await self._connect(settings.ready_port)
        except OSError:
            return False
        if settings.ready_by_tcp:
            self._keep(connection, settings.ready_port == settings.port)
            return True
        headers = [("host", f"127.0.0.1:{settings.ready_port}"), ("user-agent", "mayfly")]
        try:
            await connection.send(WebRequest("other", "GET", settings.ready_path, headers, b""))
            status, _ = await connection.head()
            async for _ in connection.parts():
                pass
        except ServerGoneError:
            return False
        except BaseException:
            connection.close()
            raise
        self._keep(connection, settings.ready_port == settings.port and connection.reusable)
        return status in settings.healthy

    # Calls.

    def invoke(self, number: int, call: Call, deadline_ms: int, into: Streamed | None) -> None:
        """Have it answer; told as RESULT or ERROR, and in parts where those are wanted."""
        task = asyncio.create_task(self._answer(number, call, deadline_ms, into), name="web call")
        self._calls[number] = task
        task.add_done_callback(lambda _: self._calls.pop(number, None))

    def more(self, number: int, taken: int) -> None:
        """That many bytes of the parts were taken."""
        if (window := self._windows.get(number)) is not None:
            window.taken(taken)

    def cancel(self, number: int) -> None:
        """Give a call up. It is answered all the same."""
        if (task := self._calls.get(number)) is not None:
            task.cancel()

    def close(self) -> None:
        self.stop_looking()
        for task in list(self._calls.values()):
            task.cancel()
        while self._idle:
            self._idle.popleft().close()

    async def _answer(self, number: int, call: Call, deadline_ms: int, into: Streamed | None) -> None:
        context = {
            "request_id": call.request_id,
            "deadline": deadline_ms,
            "invoked_function_arn": call.arn,
            "xray_trace_id": call.trace_id or None,
            **self._about,
        }
        try:
            request = request_of(call.payload, self._settings, context)
            upstream = into.upstream if into is not None else None
            if upstream is not None:
                request = request.tunnelled("websocket")
            async with contextlib.aclosing(self._exchange(request, upstream)) as exchange:
                if into is not None and request.shape != "other":
                    await self._pass_on(number, exchange)
                else:
                    await self._whole(number, request, exchange)
        except asyncio.CancelledError:
            self._fail(number, "Sandbox.Timedout", "the call was given up")
        except (BadEventError, ServerGoneError, OSError, _FailingError) as error:
            kind = "Runtime.BadEvent" if isinstance(error, BadEventError) else "Runtime.WebServerError"
            self._fail(number, kind, str(error))

    async def _exchange(
        self, request: WebRequest, upstream: Upstream | None
    ) -> AsyncGenerator[answers.AnswerHead | bytes]:
        """The head of the answer, and then its parts."""
        await self._ready.wait()
        connection = self._kept()
        fresh = connection is None
        try:
            if connection is None:
                connection = await self._connect(self._settings.port)
            try:
                await connection.send(request)
                status, headers = await connection.head()
            except ServerGoneError as error:
                if fresh or not (error.untouched and request.repeatable):
                    raise
                connection.close()
                connection = await self._connect(self._settings.port)
                await connection.send(request)
                status, headers = await connection.head()
            if status in self._settings.failing:
                raise _FailingError(f"the web server answered with the status {status}")
            yield answers.head_of(status, headers)
            async with _pumping(upstream if status == HTTPStatus.SWITCHING_PROTOCOLS else None, connection):
                async for part in connection.parts():
                    yield part
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        self._keep(connection, connection.reusable)

    async def _pass_on(self, number: int, exchange: AsyncIterator[answers.AnswerHead | bytes]) -> None:
        room = asyncio.Event()
        room.set()
        window = self._windows[number] = Window(lambda held: room.clear() if held else room.set())
        try:
            async for piece in exchange:
                if isinstance(piece, answers.AnswerHead):
                    self._say(frames.STREAM, number, {"content_type": answers.INTEGRATION})
                    piece = answers.prelude(piece)
                for at in range(0, len(piece), frames.STREAM_WINDOW // 4):
                    part = piece[at : at + frames.STREAM_WINDOW // 4]
                    await room.wait()
                    window.sent(len(part))
                    self._on_frame(frames.Frame(frames.CHUNK, 0, number, b"", part))
        finally:
            del self._windows[number]
        self._say(frames.RESULT, number)

    async def _whole(
        self, number: int, request: WebRequest, exchange: AsyncIterator[answers.AnswerHead | bytes]
    ) -> None:
        head = answers.AnswerHead(0, [])
        body = bytearray()
        async for piece in exchange:
            if isinstance(piece, answers.AnswerHead):
                head = piece
                continue
            body += piece
            if len(body) > MOST_BODY:
                raise _FailingError(f"the web server's answer is larger than {MOST_BODY} bytes")
        content = bytes(body)
        if self._settings.compresses and len(content) >= _COMPRESSES_FROM and request.accepts_gzip():
            head, content = await _compressed(head, content)
        self._on_frame(frames.Frame(frames.RESULT, 0, number, b"", answers.result_of(request.shape, head, content)))

    def _fail(self, number: int, error_type: str, message: str) -> None:
        self._on_frame(frames.Frame(frames.ERROR, 0, number, b"", answers.failure_of(error_type, message)))

    def _say(self, kind: int, number: int, meta: dict[str, Any] | None = None) -> None:
        head = json.dumps(meta).encode() if meta else b""
        self._on_frame(frames.Frame(kind, 0, number, head, b""))

    # Connections.

    def _kept(self) -> ServerConnection | None:
        """One that is open, and was used lately."""
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and self._loop.time() - connection.idle_since < KEPT_S:
                return connection
            connection.close()
        return None

    def _keep(self, connection: ServerConnection, may_be_used: bool) -> None:
        if may_be_used:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        else:
            connection.close()

    async def _connect(self, port: int) -> ServerConnection:
        """A new connection; OSError."""
        end = await self._dial()
        try:
            await self._loop.sock_connect(end, ("127.0.0.1", port))
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, connection = await self._loop.create_connection(ServerConnection, sock=end)
        except BaseException:
            end.close()
            raise
        return connection


@contextlib.asynccontextmanager
async def _pumping(upstream: Upstream | None, connection: ServerConnection) -> AsyncIterator[None]:
    """While the context is open, what comes of `upstream` goes to the server."""
    if upstream is None:
        yield
        return
    task = asyncio.create_task(_pump(upstream, connection), name="upstream of a web call")
    try:
        yield
    finally:
        task.cancel()


async def _pump(upstream: Upstream, connection: ServerConnection) -> None:
    async for part in upstream:
        await connection.pass_on(part)
    connection.say_no_more()


class _FailingError(Exception):
    """The server's answer counts as a failure of the call."""


async def _compressed(head: answers.AnswerHead, body: bytes) -> tuple[answers.AnswerHead, bytes]:
    if not answers.compressible(head):
        return head, body
    packed = await asyncio.to_thread(gzip.compress, body, 6)
    headers = [*head.headers, ("content-encoding", "gzip"), ("vary", "accept-encoding")]
    return answers.AnswerHead(head.status, headers), packed


def _about(target: Target, environment: Mapping[str, str]) -> dict[str, Any]:
    """What a program is told of its function with every request."""
    names = {
        "function_name": "AWS_LAMBDA_FUNCTION_NAME",
        "memory": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "version": "AWS_LAMBDA_FUNCTION_VERSION",
        "log_stream": "AWS_LAMBDA_LOG_STREAM_NAME",
        "log_group": "AWS_LAMBDA_LOG_GROUP_NAME",
    }
    return {"env_config": {key: environment.get(name, "") for key, name in names.items()}}
