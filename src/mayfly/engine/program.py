"""The conversation with an instance that holds programs: a launcher starts them, and they come to the Runtime API, or
listen on `$PORT`.

The program that answers calls has the number 1. It is the first of `candidates` that there is. One that has asked for
its first call at the Runtime API is ready, and so is one that answers as a web server: whichever comes first is how it
is spoken to from then on. One that ends before that, or later, is told of as ENDED, and the instance is over.
"""

import asyncio
import errno
import json
import socket
from collections.abc import Callable, Iterator

from mayfly.engine.api import Call, Target
from mayfly.engine.channel import Channel
from mayfly.engine.conversation import OnFrame, OnLost, open_channel
from mayfly.engine.streamed import Streamed
from mayfly.engine.web import Dial, Web
from mayfly.runtime_api.invocation import Invocation
from mayfly.runtime_api.server import RuntimeApi
from mayfly.sandbox import frames
from mayfly.sandbox.api import Sandbox
from mayfly.web_adapter.settings import BadSettingError, settings_of

RUNTIME = 1  # the number of the program that answers calls
# What it said last may still be on its way when word comes that it has ended.
LAST_WORDS_S = 0.02
_READY = frames.Frame(frames.READY, 0, 0, b"", b"")


class Program:
    """See `conversation.Conversation`."""

    def __init__(self, target: Target, on_frame: OnFrame, on_lost: OnLost) -> None:
        self._target = target
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._channel = Channel(self._from_launcher, self._launcher_lost)
        self._api = RuntimeApi(self, restores=target.snap_start)
        self._parts: dict[int, _Parts] = {}  # of answers that are under way, by number
        self._loop = asyncio.get_running_loop()
        self._address = ""
        self._dial: Dial = _nowhere
        self._web: Web | None = None  # where it may be a web server, until that is known
        self._is_web = False
        self._own_network = False
        self._launching: Iterator[tuple[str, ...]] = iter(())
        self._environment: dict[str, str] = {}
        self._directory = ""
        self._tried: list[str] = []
        self._ended = False
        self._last_words: asyncio.TimerHandle | None = None

    async def open(self, sandbox: Sandbox) -> None:
        listener = sandbox.runtime_api
        self._dial = sandbox.dial
        self._own_network = sandbox.endpoint is not None
        assert listener is not None, "a program's sandbox has one"
        host, port = listener.getsockname()
        self._address = f"{host}:{port}"
        try:
            await self._api.listen(listener)
        except BaseException:
            sandbox.control.close()
            listener.close()
            raise
        try:
            await open_channel(self._channel, sandbox.control)
        except BaseException:
            self._api.close()
            raise

    def init(self, target: Target, environment: dict[str, str], task_root: str) -> None:
        self._environment = {**environment, "AWS_LAMBDA_RUNTIME_API": self._address}
        try:
            web = settings_of(self._environment)
        except BadSettingError as error:
            self._on_frame(_fault("Runtime.InvalidWebSettings", str(error)))
            return
        self._environment.setdefault("PORT", str(web.port))
        if web.demanded or (self._own_network and not web.excluded):  # else anybody may be listening there
            self._web = Web(web, target, self._environment, self._dial, self._on_frame)
        self._directory = target.directory or task_root
        self._launching = iter(candidates(target, task_root))
        self._launch_next()

    def invoke(
        self, number: int, call: Call, deadline_ms: int, *, soon: bool, ahead: bool, into: Streamed | None = None
    ) -> None:
        if self._web is not None:
            self._web.invoke(number, call, deadline_ms, into)
            return
        self._api.invoke(
            Invocation(
                number=number,
                request_id=call.request_id,
                deadline_ms=deadline_ms,
                arn=call.arn,
                payload=call.payload,
                trace_id=call.trace_id or "",
                client_context=call.client_context or "",
                identity=call.identity or "",
                tenant=call.tenant or "",
            )
        )

    def proceed(self) -> None:
        """Nothing is ever sent ahead."""

    def more(self, number: int, taken: int) -> None:
        if self._web is not None:
            self._web.more(number, taken)
        elif (parts := self._parts.get(number)) is not None:
            parts.taken(taken)

    def cancel(self, number: int) -> None:
        if self._web is not None:
            self._web.cancel(number)

    def share(self, number: int, end: int) -> bool:
        return False

    def heard(self) -> bool:
        return True

    def pause(self) -> None:
        """Nobody borrows it."""

    def resume(self) -> None: ...

    async def lost(self) -> None:
        await self._channel.lost.wait()

    def close(self) -> None:
        if self._last_words is not None:
            self._last_words.cancel()
        if self._web is not None:
            self._web.close()
        self._api.close()
        self._channel.close()

    # What the launcher says.

    def _launch_next(self, error: str = "") -> None:
        """Have the next candidate started; when there is none, that is why init failed."""
        argv = next(self._launching, None)
        if argv is None:
            names = " ".join(self._tried)
            cause = error or f"Couldn't find valid bootstrap(s): [{names}]"
            self._on_frame(_fault("Runtime.InvalidEntrypoint", cause))
            return
        self._tried.append(argv[0])
        meta = {"name": "runtime", "argv": argv, "environment": self._environment, "directory": self._directory}
        self._channel.send(frames.encode(frames.LAUNCH, meta, b"", RUNTIME))

    def _from_launcher(self, frame: frames.Frame) -> None:
        if frame.kind == frames.LAUNCH_FAILED and frame.number == RUNTIME:
            meta = frame.meta
            if meta["errno"] == errno.ENOENT and not self._target.command:
                self._launch_next()
            else:
                self._on_frame(
                    _fault("Runtime.InvalidEntrypoint", f"fork/exec {self._tried[-1]}: {meta['error'].lower()}")
                )
        elif frame.kind == frames.LAUNCHED and frame.number == RUNTIME and self._web is not None:
            self._web.look(self._found_web)
        elif frame.kind == frames.ENDED and frame.number == RUNTIME:
            self._last_words = self._loop.call_later(LAST_WORDS_S, self._runtime_ended, frame)

    def _runtime_ended(self, frame: frames.Frame) -> None:
        undelivered = [invocation.number for invocation in self._api.undelivered]
        meta = {**frame.meta, "undelivered": undelivered}
        self._on_frame(frames.Frame(frames.ENDED, 0, 0, _head(meta), b""))

    def _launcher_lost(self, garbage: frames.FrameError | None) -> None:
        self._on_lost(garbage)

    # What programs say at the Runtime API.

    def ready(self) -> None:
        if self._is_web:
            return  # it is asked as a web server already
        if self._web is not None:
            self._web.close()
            self._web = None
        self._on_frame(_READY)

    def _found_web(self) -> None:
        """It answers as a web server, before it has asked for a call."""
        self._is_web = True
        self._on_frame(frames.Frame(frames.READY, 0, 0, _head({"concurrency": self._target.concurrency}), b""))

    def polled(self) -> None:
        """The next call is given to it when there is one."""

    def init_failed(self, error_type: str, payload: bytes, *, restoring: bool) -> None:
        self._on_frame(frames.Frame(frames.INIT_ERROR, 0, 0, _head({"restoring": restoring}), payload))

    def answered(self, invocation: Invocation, payload: bytes) -> None:
        self._on_frame(frames.Frame(frames.RESULT, 0, invocation.number, b"", payload))

    def begins(self, invocation: Invocation, content_type: str, hold: Callable[[bool], None]) -> None:
        self._parts[invocation.number] = _Parts(hold)
        head = _head({"content_type": content_type} if content_type else {})
        self._on_frame(frames.Frame(frames.STREAM, 0, invocation.number, head, b""))

    def part(self, invocation: Invocation, data: bytes) -> None:
        self._parts[invocation.number].sent(len(data))
        self._on_frame(frames.Frame(frames.CHUNK, 0, invocation.number, b"", data))

    def ended(self, invocation: Invocation) -> None:
        del self._parts[invocation.number]
        self._on_frame(frames.Frame(frames.RESULT, 0, invocation.number, b"", b""))

    def failed(self, invocation: Invocation, error_type: str, payload: bytes) -> None:
        self._parts.pop(invocation.number, None)
        self._on_frame(frames.Frame(frames.ERROR, 0, invocation.number, b"", payload))


class _Parts:
    """How much of an answer is on its way: no more than half of the window and one read."""

    def __init__(self, hold: Callable[[bool], None]) -> None:
        self._hold = hold
        self._under_way = 0
        self._held = False

    def sent(self, size: int) -> None:
        self._under_way += size
        self._look()

    def taken(self, size: int) -> None:
        self._under_way -= size
        self._look()

    def _look(self) -> None:
        held = self._under_way > frames.STREAM_WINDOW // 2
        if held is not self._held:
            self._held = held
            self._hold(held)


async def _nowhere() -> socket.socket:
    raise ConnectionError("the sandbox is not open yet")


def candidates(target: Target, task_root: str) -> list[tuple[str, ...]]:
    """What to try to start, in this order: a `bootstrap` of the code or of a layer, where nothing else is said."""
    if target.command:
        return [target.command]
    return [(f"{task_root}/bootstrap",), ("/opt/bootstrap",)]


def _fault(error_type: str, cause: str) -> frames.Frame:
    """Init failed before anything of the function could speak."""
    return frames.Frame(frames.INIT_ERROR, 0, 0, _head({"type": error_type, "cause": cause}), b"")


def _head(meta: dict[str, object]) -> bytes:
    return json.dumps(meta, separators=(",", ":")).encode()
