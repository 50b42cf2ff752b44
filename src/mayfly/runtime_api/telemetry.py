"""The Telemetry API, and the Logs API before it, of one sandbox: who subscribed, and what is on its way to whom.

What happens during init is kept for those that subscribe later in it. A subscriber gets its events in batches: when one
is full, or its time is over. One batch is sent at a time, over a connection into the sandbox; one more may wait. What
comes beyond that is dropped, and the subscriber is told so: a slow reader costs no memory.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Awaitable, Callable

from mayfly.clock import Clock, iso_millis
from mayfly.runtime_api.exchange import NOT_FOUND, Ignored, Reply, Request, Response, Sink, Whole, refused
from mayfly.runtime_api.extensions import Extension
from mayfly.runtime_api.subscription import Category, Event, InvalidSubscriptionError, Subscription, parse

TELEMETRY, LOGS = "/2022-07-01/telemetry", "/2020-08-15/logs"
MOST_BODY = 64 * 1024
MOST_KEPT = 1000  # events of init, for whoever subscribes
_MOST_BATCHES = 2
_SLOW = "Some logs were dropped because the downstream consumer is slower than the logs production rate"
Dial = Callable[[], Awaitable[socket.socket]]


class Telemetry:
    """See the module. `who` names the extension that asks, or refuses it; `dial` makes sockets into the sandbox."""

    def __init__(
        self, who: Callable[[Request, Reply], Extension | None], clock: Clock, on_line: Callable[[str], None]
    ) -> None:
        """`on_line` gets what the function's log says of subscriptions."""
        self.dial: Dial | None = None
        self._who = who
        self._clock = clock
        self._on_line = on_line
        self._subscribers: dict[str, _Subscriber] = {}  # by name of the extension
        self._kept: list[Event] = []
        self._open = True

    @property
    def heeded(self) -> bool:
        """Whether anybody wants to know, or may still."""
        return self._open or bool(self._subscribers)

    def close_subscription(self) -> None:
        """Init is over."""
        self._open = False
        self._kept = []

    def emit(self, category: Category, kind: str, record: object) -> None:
        """Something has happened."""
        if not self.heeded:
            return
        event = Event(iso_millis(self._clock.now()), category, kind, record)
        if self._open and len(self._kept) < MOST_KEPT:
            self._kept.append(event)
        for subscriber in self._subscribers.values():
            subscriber.take(event)

    def flush(self) -> None:
        """Send what there is: the end is near."""
        for subscriber in self._subscribers.values():
            subscriber.flush()

    def close(self) -> None:
        for subscriber in self._subscribers.values():
            subscriber.close()
        self._subscribers.clear()

    def begin(self, request: Request, reply: Reply) -> Sink:
        """See `exchange.Answers`; of paths that begin with `TELEMETRY` or `LOGS`."""
        if request.method != "PUT" or request.path.rstrip("/") not in (TELEMETRY, LOGS):
            reply.send(NOT_FOUND)
            return Ignored()
        one = self._who(request, reply)
        if one is None:
            return Ignored()
        return Whole(
            MOST_BODY,
            lambda body, _: reply.send(self._subscribe(one.name, request.path.rstrip("/") == TELEMETRY, body)),
            lambda: reply.send(refused(413, "RequestEntityTooLarge", "The request is too large.")),
        )

    def _subscribe(self, name: str, telemetry: bool, body: bytes) -> Response:
        title = "Telemetry" if telemetry else "Logs"
        if not self._open:
            return refused(403, f"{title}.SubscriptionClosed", f"{title} API subscription is closed")
        try:
            wanted = parse("telemetry" if telemetry else "logs", body)
        except InvalidSubscriptionError as error:
            return refused(400, "ValidationError", f"{error}")
        before = self._subscribers.get(name)
        if before is not None and before.wanted.api != wanted.api:
            return refused(400, "ValidationError", "the extension has subscribed by the other interface")
        if before is not None:
            before.close()
        assert self.dial is not None, "nobody asks before the sandbox is open"
        subscriber = self._subscribers[name] = _Subscriber(wanted, self.dial, self._clock)
        for event in self._kept:
            subscriber.take(event)
        types = ", ".join(one.capitalize() for one in wanted.types)
        self._on_line(f"{title.upper()}\tName: {name}\tState: Subscribed\tTypes: [{types}]")
        record = {"name": name, "state": "Subscribed", "types": list(wanted.types)}
        self.emit("platform", "platform.telemetrySubscription", record)
        return Response(200, b'"OK"')


class _Subscriber:
    """What one wants, and what is on its way to it."""

    def __init__(self, wanted: Subscription, dial: Dial, clock: Clock) -> None:
        self.wanted = wanted
        self._dial = dial
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._batch: list[bytes] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[list[bytes]] = deque()  # the one that is being sent, and the next
        self._sending: asyncio.Task[None] | None = None
        self._line: asyncio.StreamWriter | None = None  # of a subscriber by TCP
        self._closed = False

    def take(self, event: Event) -> None:
        rendered = self.wanted.render(event)
        if rendered is None or self._closed:
            return
        if self._size + len(rendered) > self.wanted.most_bytes and self._batch:
            self.flush()
        self._batch.append(rendered)
        self._size += len(rendered)
        if len(self._batch) >= self.wanted.most_items or self._size >= self.wanted.most_bytes:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(self.wanted.timeout_s, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, size = self._batch, self._size
        self._batch, self._size = [], 0
        if not batch or self._closed:
            return
        if len(self._waiting) >= _MOST_BATCHES:
            self._drop(len(batch), size, _SLOW)
            return
        self._waiting.append(batch)
        if self._sending is None:
            self._sending = self._loop.create_task(self._send_all(), name="telemetry")

    def _drop(self, records: int, size: int, reason: str) -> None:
        record = {"reason": reason, "droppedRecords": records, "droppedBytes": size}
        event = Event(iso_millis(self._clock.now()), "platform", "platform.logsDropped", record)
        rendered = self.wanted.render(event)
        if rendered is not None and not self._closed:  # it begins the next batch
            self._batch.append(rendered)
            self._size += len(rendered)
            if self._timer is None:
                self._timer = self._loop.call_later(self.wanted.timeout_s, self.flush)

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[0]
                try:
                    await (self._post(batch) if self.wanted.protocol == "HTTP" else self._write(batch))
                except (OSError, EOFError, ValueError) as error:
                    self._hang_up()
                    self._drop(len(batch), sum(map(len, batch)), f"The subscriber did not take them: {error}")
                self._waiting.popleft()
        finally:
            self._sending = None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert self._dial is not None
        made = await self._dial()
        try:
            await self._loop.sock_connect(made, ("127.0.0.1", self.wanted.port))
            return await asyncio.open_connection(sock=made, limit=MOST_BODY)
        except BaseException:
            made.close()
            raise

    async def _post(self, batch: list[bytes]) -> None:
        """One request a connection: subscribers are as simple as servers can be."""
        reader, writer = await self._connect()
        try:
            body = b"[" + b",".join(batch) + b"]"
            head = (
                f"{self.wanted.method} {self.wanted.path} HTTP/1.1\r\nHost: sandbox.localdomain:{self.wanted.port}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            status = (await reader.readline()).split(b" ", 2)
            if len(status) < 2 or not status[1].isdigit() or not 200 <= int(status[1]) < 300:
                raise ValueError("its answer was not 200")
        finally:
            writer.close()

    async def _write(self, batch: list[bytes]) -> None:
        """Lines, over one connection for all."""
        if self._line is None or self._line.is_closing():
            _, self._line = await self._connect()
        self._line.write(b"".join(one + b"\n" for one in batch))
        await self._line.drain()

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._hang_up()
