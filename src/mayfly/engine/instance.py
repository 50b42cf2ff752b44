"""One instance: drives one sandbox through the life that `states` describes, one call at a time.

`live` is the whole life and the instance's only task; calls are handed over by `run` and answered from the callbacks
of its control socket, so a warm call needs no task of its own. The engine is told what happens through `Owner`; it
alone decides which call runs where.

How an answer is known to be complete. The runtime writes what a call printed into the output pipe before it answers on
the control socket. So when the answer has been read, everything printed is in the pipe, and the pipe is emptied before
the call is reported as finished. For the same reason the first call is sent when the runtime is ready, not along with
the code to load: only then can what init printed be told from what the handler printed, and the deadline be exact. (The
way from here to the runtime costs some 50 µs of a cold start.)

When an instance dies instead, both ends are awaited: the report of its exit, and the end of its control socket behind
the last frame; only then is the fate of its call read off.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mayfly.clock import Clock
from mayfly.engine.api import Call, EndpointServer, Failure, FailureKind, Observer, Outcome, Target
from mayfly.engine.channel import Channel
from mayfly.engine.failures import failure_of
from mayfly.engine.job import Job
from mayfly.engine.output import OutputPipe
from mayfly.engine.states import Event, Lifecycle, State
from mayfly.errors import MayflyError, PlatformError
from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit, Sandbox, SandboxFactory

# How long the end of the control socket and the report of the exit may lie apart before the missing one is given up on.
# They come from the same event; under load the report was seen some 20 ms late.
DEATH_GRACE_S = 2.0
# How long killing may take before the call is answered without waiting for it.
KILL_GRACE_S = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Host:
    """What all instances of one engine share."""

    factory: SandboxFactory
    observer: Observer
    clock: Clock
    init_timeout_s: float
    endpoints: EndpointServer | None


class Owner(Protocol):
    """The engine as its instances see it. Called on the loop; must not raise."""

    async def room(self) -> None:
        """Return when the memory that was promised is free."""

    def provisioned(self, instance: "Instance") -> None:
        """Its sandbox runs."""

    def unprovisioned(self, instance: "Instance", job: Job, error: Exception) -> None:
        """It could not be started; the job is without an instance."""

    def answered(self, instance: "Instance", job: Job, outcome: Outcome) -> None:
        """A call ended; the instance is idle, or ending."""

    def lost(self, instance: "Instance", job: Job, error: PlatformError) -> None:
        """A call was cut off by the platform itself."""

    def repeat_init(self, instance: "Instance", job: Job) -> None:
        """Init took too long: the call needs another instance."""

    def ended(self, instance: "Instance") -> None:
        """It takes no call any more and its processes are being killed."""

    def gone(self, instance: "Instance") -> None:
        """Nothing of it is left."""


class Instance:
    """One instance. Made for a first call, which it is handed as soon as it runs."""

    def __init__(self, instance_id: str, job: Job, host: Host, owner: Owner) -> None:
        self.id = instance_id
        self.target: Target = job.target
        self.calls = 0
        self.created_at = host.clock.monotonic()
        self.idle_since = self.created_at
        self.start_ms = 0.0  # from the decision to start it until the handler could run
        self._job: Job | None = job
        self._host = host
        self._owner = owner
        self._lifecycle = Lifecycle()
        self._loop = asyncio.get_running_loop()
        self._sandbox: Sandbox | None = None
        self._channel = Channel(self._frame, self._channel_lost)
        self._output: OutputPipe | None = None
        self._stop_endpoint: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._retiring = False
        self._verdict: FailureKind | None = None
        self._cut_off: PlatformError | None = None
        self._reason = ""
        self._reported = False  # whether `started` was told of the current call
        self._sent_at = 0.0
        self._init_ms: float | None = None
        self._queued_ms = 0.0

    @property
    def state(self) -> State:
        return self._lifecycle.state

    # What the engine asks for.

    def run(self, job: Job) -> None:
        """Hand a call to this idle instance."""
        self._lifecycle.feed(Event.CALLED)
        self._job = job
        if self._output is not None:
            self._output.flush()  # a line begun between calls is not part of this one
        self._sent_at = self._host.clock.monotonic()
        self._queued_ms = (self._sent_at - job.accepted_at) * 1000
        self._init_ms = None
        self._report_started(job)
        self._send_invoke(job.call, self.target.timeout_s)
        self._timer = self._loop.call_later(self.target.timeout_s, self._expired)

    def retire(self) -> None:
        """Take no further call: end now when idle, after the current call when there is one."""
        self._retiring = True
        if self.state is State.IDLE:
            self.end("retired")
        elif self.state is State.BUSY:
            self._lifecycle.feed(Event.RETIRED)

    def end(self, reason: str) -> None:
        """Kill every process. A call that runs fails with what made the instance end. Idempotent."""
        if self.state in {State.ENDING, State.TERMINATED}:
            return
        self._reason = reason
        self._lifecycle.feed(Event.ENDED)
        self._begin_end()

    def cut_off(self, error: PlatformError) -> None:
        """`end`, and the call that runs is the platform's failure, not the function's."""
        self._cut_off = error
        self.end("shutdown")

    # The life of the instance.

    async def live(self) -> None:
        """From the making of the sandbox until nothing of it is left."""
        exit_: Exit | None = None
        try:
            try:
                await self._provision()
            except Exception as error:
                self._fail_to_start(error)
            else:
                exit_ = await self._death()
        except Exception as error:
            _log.exception("instance %s of %s was lost", self.id, self.target.function)
            self._cut_off = PlatformError(f"the instance was lost: {error}")
        finally:
            self._close_ends(exit_)
            try:
                if self._sandbox is not None:
                    await self._sandbox.discard()
            finally:
                self._lifecycle.feed(Event.GONE)
                self._owner.gone(self)
                if self._sandbox is not None:
                    self._host.observer.terminated(self.target, self.id, self._reason)

    async def _provision(self) -> None:
        """Make the sandbox and send it its first frames."""
        await self._owner.room()
        started, environment = await asyncio.gather(
            self._host.factory.start(self.target.sandbox), self.target.environment(self.id), return_exceptions=True
        )
        if isinstance(started, BaseException):
            raise started
        self._sandbox = started
        await self._connect(started)
        if isinstance(environment, BaseException):
            raise environment
        if self.state is State.PROVISIONING:
            self._begin(dict(environment))
        else:  # it was ended meanwhile
            started.kill()

    async def _connect(self, sandbox: Sandbox) -> None:
        self._output = OutputPipe(self._loop, sandbox.output, self._printed)
        try:
            await self._loop.create_unix_connection(lambda: self._channel, sock=sandbox.control)
        except BaseException:
            sandbox.control.close()
            raise
        listener = sandbox.endpoint
        if listener is not None:
            serve = self._host.endpoints
            self._stop_endpoint = serve(self.target, self.id, listener) if serve is not None else listener.close

    def _begin(self, environment: dict[str, str]) -> None:
        job = self._job
        assert job is not None
        self._lifecycle.feed(Event.PROVISIONED)
        self._owner.provisioned(self)
        task_root = str(self.target.sandbox.code) if self._host.factory.level == "process" else "/var/task"
        init = {"handler": self.target.handler, "environment": environment, "task_root": task_root}
        self._sent_at = self._host.clock.monotonic()
        self._queued_ms = (self._sent_at - job.accepted_at) * 1000
        self._channel.send(frames.INIT, init)
        # A repeated init counts against the function's timeout.
        limit_s = self.target.timeout_s if job.init_repeated else self._host.init_timeout_s
        self._timer = self._loop.call_later(limit_s, self._expired)

    async def _death(self) -> Exit:
        """Wait for the end, whoever brings it about, and read the fate of the current call off it."""
        assert self._sandbox is not None
        exit_ = await self._sandbox.exited()
        self._unusable()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEATH_GRACE_S):
                await self._channel.lost.wait()
        self.end(self._reason or exit_.reason)
        self._fail(exit_)
        return exit_

    def _close_ends(self, exit_: Exit | None) -> None:
        """Give back what this side holds, whether or not the life went as it should."""
        self.end("failed")
        self._fail(exit_)
        self._cancel_timers()
        self._channel.close()
        if self._stop_endpoint is not None:
            self._stop_endpoint()
        if self._output is not None:
            self._output.drain()
            self._output.close()

    def _fail_to_start(self, error: Exception) -> None:
        self.end("failed to start")
        if self._cut_off is not None or self._job is None:
            return
        job, self._job = self._job, None
        if not isinstance(error, MayflyError):
            _log.error("instance %s of %s failed to start", self.id, self.target.function, exc_info=error)
        self._owner.unprovisioned(self, job, error)

    # What the runtime says.

    def _frame(self, frame: frames.Frame) -> None:
        state, kind = self.state, frame.kind
        if state is State.ENDING or state is State.TERMINATED:
            return  # its fate is sealed; what it says now comes too late
        running = state is State.BUSY or state is State.DRAINING
        if kind == frames.RESULT and running:
            self._answer(frame.payload, None)
        elif kind == frames.ERROR and running:
            if frame.meta.get("fatal"):
                self.retire()
            self._answer(b"", Failure("raised", frame.payload))
        elif kind == frames.READY and state is State.INITIALIZING:
            self._ready()
        elif kind == frames.INIT_ERROR and state is State.INITIALIZING:
            self._init_failed(frame.payload)
        else:
            self._condemn("protocol")

    def _ready(self) -> None:
        job = self._job
        assert job is not None
        now = self._host.clock.monotonic()
        self._lifecycle.feed(Event.READY)
        self._lifecycle.feed(Event.CALLED)
        if self._retiring:
            self._lifecycle.feed(Event.RETIRED)
        self.start_ms = (now - self.created_at) * 1000
        if self._output is not None:
            self._output.drain()
        left_s = self.target.timeout_s
        if job.init_repeated:
            left_s -= now - self._sent_at
        else:
            self._init_ms = (now - self._sent_at) * 1000
            self._sent_at = now
            self._set_timer(left_s)
        self._report_started(job)
        self._send_invoke(job.call, left_s)

    def _init_failed(self, payload: bytes) -> None:
        job, peak = self._job, self._peak()
        assert job is not None
        self._reason = "init failed"
        self._lifecycle.feed(Event.ENDED)
        outcome = self._conclude(job, b"", Failure("init-raised", payload), peak)
        self._begin_end()
        self._owner.answered(self, job, outcome)

    def _answer(self, payload: bytes, failure: Failure | None) -> None:
        job = self._job
        assert job is not None
        outcome = self._conclude(job, payload, failure, self._peak())
        if self._lifecycle.feed(Event.ANSWERED) is State.ENDING:
            self._reason = self._reason or "retired"
            self._begin_end()
        else:
            self.idle_since = self._host.clock.monotonic()
        self._owner.answered(self, job, outcome)

    # How it goes wrong.

    def _channel_lost(self, garbage: frames.FrameError | None) -> None:
        if self.state in {State.ENDING, State.TERMINATED}:
            return
        if garbage is not None:
            self._condemn("protocol")
            return
        self._unusable()
        # Its exit is reported about now. If it is not, the runtime closed its control socket and lives on.
        self._silence = self._loop.call_later(DEATH_GRACE_S, self._condemn, "protocol")

    def _unusable(self) -> None:
        """Nothing can be said to it any more; what it said before its end may still be on its way."""
        if self.state is State.IDLE:
            self.end("died while idle")
        else:
            self.retire()

    def _expired(self) -> None:
        self._timer = None
        self._condemn("init-timeout" if self.state is State.INITIALIZING else "timeout")

    def _condemn(self, verdict: FailureKind) -> None:
        if self.state not in {State.ENDING, State.TERMINATED}:
            self._verdict = verdict
            self.end(verdict)

    def _begin_end(self) -> None:
        """The processes are to die; `_death` goes on when they have."""
        self._cancel_timers()
        self._owner.ended(self)
        if self._sandbox is not None:
            self._sandbox.kill()
        if self._job is not None and self._sandbox is not None:
            self._timer = self._loop.call_later(KILL_GRACE_S, self._fail, None)

    def _fail(self, exit_: Exit | None) -> None:
        """Settle the call that was under way when the instance ended, if there was one."""
        job = self._job
        if job is None:
            return
        if self._cut_off is not None:
            self._job = None
            self._owner.lost(self, job, self._cut_off)
        elif self._verdict == "init-timeout" and not job.init_repeated:
            if self._output is not None:
                self._output.drain()
            self._job = None
            self._owner.repeat_init(self, job)
        else:
            failure = failure_of(self._verdict, exit_)
            outcome = self._conclude(job, b"", failure, exit_.peak_memory_bytes if exit_ else 0)
            self._owner.answered(self, job, outcome)

    # Accounts of a call.

    def _conclude(self, job: Job, payload: bytes, failure: Failure | None, peak: int) -> Outcome:
        """Report the rest of the output, then the end of the call."""
        self._cancel_timers()
        if not self._reported:  # it ended in init
            self._report_started(job)
            if not job.init_repeated:
                now = self._host.clock.monotonic()
                self._init_ms, self._sent_at = (now - self._sent_at) * 1000, now
        if self._output is not None:
            self._output.drain()
        outcome = Outcome(
            payload=payload,
            failure=failure,
            instance=self.id,
            cold=self.calls == 0,
            duration_ms=self._duration_ms(failure),
            init_ms=self._init_ms,
            queued_ms=self._queued_ms,
            peak_memory_bytes=peak,
        )
        self.calls += 1
        self._job = None
        self._reported = False
        self._host.observer.finished(self.target, job.call, outcome)
        return outcome

    def _duration_ms(self, failure: Failure | None) -> float:
        if failure is not None and failure.kind in {"timeout", "init-timeout"}:
            return self.target.timeout_s * 1000  # not the instant at which the timer was served
        return (self._host.clock.monotonic() - self._sent_at) * 1000

    def _report_started(self, job: Job) -> None:
        self._reported = True
        self._host.observer.started(self.target, self.id, job.call)

    def _printed(self, lines: list[str]) -> None:
        now = self._host.clock.now()
        call = self._job.call if self._job is not None else None
        self._host.observer.output(self.target, self.id, call, [(now, line) for line in lines])

    def _peak(self) -> int:
        return self._sandbox.peak_memory() if self._sandbox is not None else 0

    def _send_invoke(self, call: Call, left_s: float) -> None:
        meta: dict[str, Any] = {
            "request_id": call.request_id,
            "deadline_ms": int((self._host.clock.now() + left_s) * 1000),
            "arn": call.arn,
        }
        if call.trace_id is not None:
            meta["trace_id"] = call.trace_id
        if call.client_context is not None:
            meta["client_context"] = call.client_context
        if call.identity is not None:
            meta["identity"] = call.identity
        self._channel.send(frames.INVOKE, meta, call.payload)

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._expired)

    def _cancel_timers(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
