"""The conversation with an instance that holds programs: a launcher starts them, and they come to the Runtime API, or
listen on `$PORT`.

External extensions are started first. When all of them have registered, the runtime is: the first of `candidates` that
there is, number 1. One that has asked for its first call at the Runtime API is ready, and so is one that answers as a
web server: whichever comes first is how it is spoken to from then on.

The instance is ready when the runtime is, and every extension has asked for its first event; a call is over when they
all have asked again (web servers are not waited for, and extensions are not told of their requests). The answer goes on
as soon as it is there: where extensions still work, it says that it lingers, and DONE follows. A program that ends ends
the instance, and is told of as ENDED; how an instance with extensions is ended from here, `farewell` says.
"""

import asyncio
import errno
import json
import socket
from collections.abc import Callable, Iterator

from mayfly import ids
from mayfly.clock import Clock
from mayfly.engine import launches
from mayfly.engine.api import Call, Target
from mayfly.engine.channel import Channel
from mayfly.engine.chronicle import Chronicle
from mayfly.engine.conversation import OnFrame, OnLost, open_channel
from mayfly.engine.farewell import Farewell, reason_of
from mayfly.engine.lines import LineSplitter
from mayfly.engine.streamed import Streamed
from mayfly.engine.web import Dial, Web
from mayfly.engine.window import Window
from mayfly.runtime_api.extensions import Metadata
from mayfly.runtime_api.invocation import Invocation
from mayfly.runtime_api.server import RuntimeApi
from mayfly.sandbox import frames
from mayfly.sandbox.api import Sandbox
from mayfly.web_adapter.settings import BadSettingError, settings_of

RUNTIME = 1  # the number of the program that answers calls
# What it said last may still be on its way when word comes that it has ended.
LAST_WORDS_S = 0.02
_LINGERS = b'{"lingers":true}'


class Program:
    """See `conversation.Conversation`."""

    def __init__(
        self,
        target: Target,
        on_frame: OnFrame,
        on_lost: OnLost,
        on_lines: Callable[[list[str]], None],
        clock: Clock,
    ) -> None:
        """`on_lines` gets what is printed past the sandbox's output pipe, and what the platform itself has to say."""
        self._target = target
        self._on_frame = on_frame
        self._on_lines = on_lines
        self._clock = clock
        self._channel = Channel(self._from_launcher, on_lost)
        self._api = RuntimeApi(self, ids.request_id, clock, lambda line: on_lines([line]), restores=target.snap_start)
        self._telemetry = self._api.telemetry
        self._chronicle = Chronicle(self._telemetry, target, clock)
        self._peak: Callable[[], int] = lambda: 0
        self._parts: dict[int, Window] = {}  # of answers that are under way, by number
        self._loop = asyncio.get_running_loop()
        self._address = ""
        self._dial: Dial = _nowhere
        self._web: Web | None = None  # where it may be a web server, until that is known
        self._is_web = False
        self._own_network = False
        self._candidates: Iterator[tuple[str, ...]] = iter(())
        self._environment: dict[str, str] = {}
        self._directory = ""
        self._tried: list[str] = []
        self._running: dict[int, str] = {}  # programs, by number, with the names of extensions
        self._splitters: dict[int, LineSplitter] = {}
        self._runtime_launched = False
        self._runtime_ready = False
        self._ready = False  # all are
        self._lingering: int | None = None  # the call that was answered, and is not over
        self._ended = False
        self._last_words: asyncio.TimerHandle | None = None
        self._farewell: Farewell | None = None

    async def open(self, sandbox: Sandbox) -> None:
        listener = sandbox.runtime_api
        self._dial = self._telemetry.dial = sandbox.dial
        self._peak = sandbox.peak_memory
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
            self._fail("Runtime.InvalidWebSettings", str(error))
            return
        self._environment.setdefault("PORT", str(web.port))
        managed = target.command[:1] == (frames.MANAGED,)
        if web.demanded or (self._own_network and not web.excluded and not managed):  # else anybody may listen there
            self._web = Web(web, target, self._environment, self._dial, self._on_frame)
        self._directory = target.directory or task_root
        self._chronicle.init_begins(environment)
        self._candidates = iter(launches.candidates(target, task_root))
        self._api.extensions.metadata = Metadata(
            environment.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            environment.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
            target.handler,
            target.function.split(":")[4] if target.function.count(":") >= 5 else "",
        )
        # The code is elsewhere than inside other sandboxes only where the machine's own file system is in sight.
        extensions = launches.extensions(target, shared=task_root == str(target.sandbox.code))
        self._api.extensions.expect(extensions)
        variables = launches.environment_of_extensions(self._environment)
        for number, (name, path) in enumerate(extensions.items(), RUNTIME + 1):
            self._running[number] = name
            self._launch(number, name, (path,), variables, "/", relay=True)
        if not extensions:
            self._launch_runtime()

    def invoke(
        self, number: int, call: Call, deadline_ms: int, *, soon: bool, ahead: bool, into: Streamed | None = None
    ) -> None:
        if self._web is not None:
            self._web.invoke(number, call, deadline_ms, into)
            return
        invocation = Invocation(
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
        self._chronicle.call_begins(invocation)
        self._api.invoke(invocation)

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

    def tap(self, on_lines: Callable[[list[str]], None]) -> Callable[[list[str]], None]:
        telemetry = self._telemetry

        def printed(lines: list[str]) -> None:
            on_lines(lines)
            if telemetry.heeded:
                for line in lines:
                    telemetry.emit("function", "function", line)

        return printed

    def farewell(self, end: str, over: Callable[[], None]) -> bool:
        if self._channel.lost.is_set() or not self._api.extensions.known or self._farewell is not None:
            return False
        reason = reason_of(end)
        if not self._ready:
            self._tell_of_extensions()
        self._chronicle.ends(reason, self._peak)
        self._telemetry.flush()
        self._farewell = Farewell(reason, self._api.extensions, self._running, RUNTIME, self._clock, self._signal, over)
        return True

    async def lost(self) -> None:
        await self._channel.lost.wait()

    def close(self) -> None:
        if self._last_words is not None:
            self._last_words.cancel()
        if self._farewell is not None:
            self._farewell.close()
        if self._web is not None:
            self._web.close()
        self._api.close()
        self._channel.close()

    # Programs.

    def _launch(
        self, number: int, name: str, argv: tuple[str, ...], variables: dict[str, str], directory: str, *, relay: bool
    ) -> None:
        meta = {"name": name, "argv": argv, "environment": variables, "directory": directory, "relay": relay}
        self._channel.send(frames.encode(frames.LAUNCH, meta, b"", number))

    def _launch_runtime(self) -> None:
        self._runtime_launched = True
        self._running[RUNTIME] = ""
        self._launch_next()

    def _launch_next(self) -> None:
        """Have the next candidate started; when there is none, that is why init failed."""
        argv = next(self._candidates, None)
        if argv is None:
            self._fail("Runtime.InvalidEntrypoint", f"Couldn't find valid bootstrap(s): [{' '.join(self._tried)}]")
            return
        self._tried.append(argv[0])
        self._launch(RUNTIME, "runtime", argv, self._environment, self._directory, relay=False)

    def _signal(self, number: int, which: int) -> None:
        self._channel.send(frames.encode(frames.SIGNAL, {"signal": which}, b"", number))

    def _from_launcher(self, frame: frames.Frame) -> None:
        if frame.kind == frames.LAUNCH_FAILED:
            self._not_launched(frame)
        elif frame.kind == frames.LAUNCHED and frame.number == RUNTIME and self._web is not None:
            self._web.look(self._found_web)
        elif frame.kind == frames.OUTPUT:
            splitter = self._splitters.setdefault(frame.number, LineSplitter())
            self._extension_printed(splitter.feed(frame.payload))
        elif frame.kind == frames.ENDED:
            if (splitter_left := self._splitters.pop(frame.number, None)) is not None:
                self._extension_printed(splitter_left.flush())
            name = self._running.pop(frame.number, "")
            if self._farewell is not None:
                self._farewell.ended()
            elif not self._ended:
                self._ended = True
                self._last_words = self._loop.call_later(LAST_WORDS_S, self._program_ended, frame, name)

    def _extension_printed(self, lines: list[str]) -> None:
        if lines:
            self._on_lines(lines)
            for line in lines:
                self._telemetry.emit("extension", "extension", line)

    def _not_launched(self, frame: frames.Frame) -> None:
        name, meta = self._running.get(frame.number, ""), frame.meta
        if frame.number == RUNTIME:
            if meta["errno"] == errno.ENOENT and not self._target.command and meta.get("step") != "directory":
                self._launch_next()
                return
            why = meta["error"].lower()
            if meta.get("step") == "directory":
                self._fail("Runtime.InvalidWorkingDir", f"chdir {self._directory}: {why}")
            else:
                self._fail("Runtime.InvalidEntrypoint", f"fork/exec {self._tried[-1]}: {why}")
        else:
            self._fail("Extension.LaunchError", f"fork/exec /opt/extensions/{name}: {meta['error'].lower()}")
        self._running.pop(frame.number, None)

    def _fail(self, error_type: str, cause: str) -> None:
        """Init has, and what failed cannot say so itself."""
        self._chronicle.runtime_initialized("error", error_type)
        self._on_frame(frames.Frame(frames.INIT_ERROR, 0, 0, _head({"type": error_type, "cause": cause}), b""))

    def _program_ended(self, frame: frames.Frame, extension: str) -> None:
        """One of them, by itself: the instance is over."""
        meta = {**frame.meta, "undelivered": [invocation.number for invocation in self._api.undelivered]}
        fatal = next((one for one in self._api.extensions.known if one.error_type), None)
        if fatal is not None:
            meta["type"] = f"Extension.{fatal.state.value}"
        elif extension:
            meta["type"] = "Extension.Crash"
        if extension:
            code = frame.meta.get("code")
            how = "exit code 0" if code == 0 else f"exit status {code}" if code else f"signal {frame.meta['signal']}"
            meta["cause"] = how
        self._on_frame(frames.Frame(frames.ENDED, 0, 0, _head(meta), b""))

    # What programs say at the Runtime API.

    def registered(self) -> None:
        if not self._runtime_launched and self._api.extensions.all_registered:
            self._launch_runtime()

    def extension_polled(self) -> None:
        self._look_whether_all_are_done()

    def ready(self) -> None:
        if self._is_web:
            return  # it is asked as a web server already
        if self._web is not None:
            self._web.close()
            self._web = None
        self._runtime_ready = True
        self._api.extensions.close_registration()
        self._look_whether_all_are_done()

    def _found_web(self) -> None:
        """It answers as a web server, before it has asked for a call."""
        self._is_web = self._runtime_ready = True
        self._api.extensions.close_registration()
        self._look_whether_all_are_done()

    def polled(self) -> None:
        self._chronicle.runtime_is_done()
        if self._lingering is None:
            self._chronicle.call_is_over(self._peak)
        self._look_whether_all_are_done()

    def _look_whether_all_are_done(self) -> None:
        extensions = self._api.extensions
        if not extensions.all_ready:
            return
        if self._runtime_ready and not self._ready:
            self._ready = True
            self._chronicle.runtime_initialized()
            self._tell_of_extensions()
            self._chronicle.initialized()
            self._telemetry.close_subscription()
            head = _head({"concurrency": self._target.concurrency}) if self._is_web else b""
            self._on_frame(frames.Frame(frames.READY, 0, 0, head, b""))
        elif self._lingering is not None and self._api.runtime.is_done:
            number, self._lingering = self._lingering, None
            self._chronicle.call_is_over(self._peak)
            self._on_frame(frames.Frame(frames.DONE, 0, number, b"", b""))

    def _tell_of_extensions(self) -> None:
        """Init is over, and this is how far each of them came."""
        lines = []
        for one in self._api.extensions.known:
            line = f"EXTENSION\tName: {one.name}\tState: {one.state.value}\tEvents: [{', '.join(one.events)}]"
            record = {"name": one.name, "state": one.state.value, "events": list(one.events)}
            if one.error_type:
                line, record = f"{line}\tError Type: {one.error_type}", {**record, "errorType": one.error_type}
            lines.append(line)
            self._telemetry.emit("platform", "platform.extension", record)
        if lines:
            self._on_lines(lines)

    def init_failed(self, error_type: str, payload: bytes, *, restoring: bool) -> None:
        self._chronicle.runtime_initialized("error", error_type or "Runtime.Unknown")
        self._on_frame(frames.Frame(frames.INIT_ERROR, 0, 0, _head({"restoring": restoring}), payload))

    def answered(self, invocation: Invocation, payload: bytes) -> None:
        self._chronicle.answered(len(payload))
        self._over(frames.RESULT, invocation, payload)

    def failed(self, invocation: Invocation, error_type: str, payload: bytes) -> None:
        self._parts.pop(invocation.number, None)
        self._chronicle.failed(error_type)
        self._over(frames.ERROR, invocation, payload)

    def begins(self, invocation: Invocation, content_type: str, hold: Callable[[bool], None]) -> None:
        self._parts[invocation.number] = Window(hold)
        head = _head({"content_type": content_type} if content_type else {})
        self._on_frame(frames.Frame(frames.STREAM, 0, invocation.number, head, b""))

    def part(self, invocation: Invocation, data: bytes) -> None:
        self._parts[invocation.number].sent(len(data))
        self._on_frame(frames.Frame(frames.CHUNK, 0, invocation.number, b"", data))

    def ended(self, invocation: Invocation) -> None:
        self._parts.pop(invocation.number, None)
        self._chronicle.answered(0)
        self._over(frames.RESULT, invocation, b"")

    def _over(self, kind: int, invocation: Invocation, payload: bytes) -> None:
        """The answer is complete."""
        lingers = not self._api.extensions.all_ready
        if lingers:
            self._lingering = invocation.number
        self._on_frame(frames.Frame(kind, 0, invocation.number, _LINGERS if lingers else b"", payload))


async def _nowhere() -> socket.socket:
    raise ConnectionError("the sandbox is not open yet")


def _head(meta: dict[str, object]) -> bytes:
    return json.dumps(meta, separators=(",", ":")).encode()
