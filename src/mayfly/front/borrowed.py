"""An instance that the core lent to this front: runs one call at a time over its control socket.

The counterpart of `engine.instance` while a lease lasts. What the engine knows and a front does not, that the instance
died and how, the core tells; what the front knows and the core does not, that a call takes too long or that the runtime
talks nonsense, the front tells, and the core kills. Accounts of calls go to the observer in the same order as there.
"""

import asyncio
import contextlib
import os
import socket
from functools import partial
from typing import Protocol

from mayfly.clock import Clock
from mayfly.engine.alarm import Alarm
from mayfly.engine.api import Call, Failure, FailureKind, Observer, Target
from mayfly.engine.channel import Channel
from mayfly.engine.failures import failure_of
from mayfly.engine.job import Job
from mayfly.engine.output import OutputPipe
from mayfly.engine.peak import Peak
from mayfly.engine.turn import Turn
from mayfly.sandbox import frames, peak
from mayfly.sandbox.api import Exit

# How long word of a death that shows on the control socket may take, and how long killing may.
DEATH_GRACE_S = 2.0
KILL_GRACE_S = 5.0
_TIMER_S = 0.002  # a timer may go off this much too early
_MOST_NUMBER = 2**32 - 1


class Owner(Protocol):
    """Who holds the lease. Called on the loop; must not raise."""

    def idle(self, instance: "Borrowed") -> None:
        """Its call ended, and the next one may come."""

    def condemn(self, instance: "Borrowed", verdict: FailureKind) -> None:
        """The core is to end it."""

    def buried(self, instance: "Borrowed") -> None:
        """It is dead, and its descriptors are closed."""


class Borrowed:
    """One lease. `calls` ended on it so far; `leaving` says why it is to go back, once it is."""

    def __init__(
        self,
        lease: str,
        target: Target,
        observer: Observer,
        clock: Clock,
        owner: Owner,
        quiet_since: float,
        term_s: float,
    ) -> None:
        """Of no use before `open`, and to be given back after `term_s`."""
        self.id = lease
        self.target = target
        self.calls = 0
        self.idle_since = clock.monotonic()
        self.due_at = self.idle_since + term_s
        self.last_line_at = quiet_since  # Unix seconds
        self.opened = False
        self.leaving = ""
        self.to_return = False
        self._observer = observer
        self._clock = clock
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._channel = Channel(self._frame, self._lost)
        self._output: OutputPipe | None = None
        self._peak_file = -1
        self._peak = Peak(None)
        self._turn: Turn | None = None
        self._number = 0  # of the latest call
        self._alarm = Alarm(self._loop, self._due)  # the end of a call's time
        self._killing: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._verdict: FailureKind | None = None
        self._over = False

    async def open(self, descriptors: list[int]) -> None:
        """Take over `descriptors`: control socket, output pipe and perhaps a file that tells peak memory. `OSError`."""
        control = socket.socket(fileno=descriptors[0])
        self._output = OutputPipe(self._loop, descriptors[1], self._printed)
        if len(descriptors) > 2:
            self._peak_file = descriptors[2]
            self._peak.read = partial(peak.read, self._peak_file)
        try:
            await self._loop.create_unix_connection(lambda: self._channel, sock=control)
        except BaseException:
            control.close()
            raise
        self.opened = True
        if self._over:  # it died meanwhile
            self._channel.close()

    @property
    def busy(self) -> bool:
        return self._turn is not None

    @property
    def over(self) -> bool:
        """It takes no further call: it is dead, dying or given back."""
        return self._over

    def run(self, job: Job) -> None:
        """Hand a call to this idle instance."""
        assert self._output is not None
        self._output.flush()
        turn = self._turn = Turn(job, self._clock.monotonic(), cold=False)
        turn.reported = True
        timeout_s = self.target.timeout_s
        turn.due_at = self._loop.time() + timeout_s
        self._number = self._number % _MOST_NUMBER + 1
        self._observer.started(job.target, self.id, job.call)
        self._channel.send(self._invoke(job.call, int((self._clock.now() + timeout_s) * 1000)))
        self._alarm.by(turn.due_at)

    def give_up(self) -> None:
        """Read what is there and close the descriptors: somebody else speaks to it from now on."""
        assert self._output is not None
        self._over = True
        self._cancel_timers()
        self._output.drain()
        self._release()

    async def died(self, exit_: Exit) -> None:
        """The core says that it is dead: settle its call once its last word was read."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEATH_GRACE_S):
                await self._channel.lost.wait()
        self._over = True
        self._settle(exit_)
        self._release()
        self._owner.buried(self)

    def abandon(self) -> None:
        """The core is gone, and with it every instance."""
        self._over = True
        self._cancel_timers()
        self._release()

    def _invoke(self, call: Call, deadline_ms: int) -> bytes:
        head = frames.call_head(
            call.request_id, deadline_ms, call.arn, call.trace_id or "", call.client_context or "", call.identity or ""
        )
        return frames.encode_call(self._number, head, call.payload)

    # What the runtime says.

    def _frame(self, frame: frames.Frame) -> None:
        if self._over:
            return
        turn = self._turn
        if turn is None or frame.number != self._number or frame.kind not in (frames.RESULT, frames.ERROR):
            self._condemn("protocol")
            return
        failure = None
        if frame.kind == frames.ERROR:
            failure = Failure("raised", frame.payload)
            if frame.meta.get("fatal"):
                self.leaving = "fatal error"
        assert self._output is not None
        if frame.flags & frames.QUIET:
            self._output.flush()
        else:
            self._output.drain()
        now = self._clock.monotonic()
        self._conclude(turn, now, frame.payload if failure is None else b"", failure, self._peak.lately(now))
        self._owner.idle(self)

    def _lost(self, garbage: frames.FrameError | None) -> None:
        if self._over:
            return
        if garbage is not None:
            self._condemn("protocol")
            return
        self.leaving = self.leaving or "died"
        # Word of its exit is on its way. If not, the runtime closed its socket and lives on.
        self._silence = self._loop.call_later(DEATH_GRACE_S, self._condemn, "protocol")

    def _printed(self, lines: list[str]) -> None:
        now = self.last_line_at = self._clock.now()
        call = self._turn.job.call if self._turn is not None else None
        self._observer.output(self.target, self.id, call, [(now, line) for line in lines])

    # How it ends.

    def _condemn(self, verdict: FailureKind) -> None:
        if self._over:
            return
        self._over = True
        self._verdict = verdict
        self._cancel_timers()
        self._owner.condemn(self, verdict)
        self._killing = self._loop.call_later(KILL_GRACE_S, self._settle, None)

    def _settle(self, exit_: Exit | None) -> None:
        self._cancel_timers()
        if self._turn is None or self._output is None:
            return
        self._output.drain()
        used = exit_.peak_memory_bytes if exit_ is not None else self._peak.last
        self._conclude(self._turn, self._clock.monotonic(), b"", failure_of(self._verdict, exit_), used)

    def _due(self) -> None:
        """The time of a call may be over."""
        if self._turn is None:
            return
        if self._turn.due_at <= self._loop.time() + _TIMER_S:
            self._condemn("timeout")
        else:
            self._alarm.by(self._turn.due_at)

    def _conclude(self, turn: Turn, now: float, payload: bytes, failure: Failure | None, used: int) -> None:
        """Report the end of the call, all of whose output has come; then answer."""
        self._turn = None
        outcome = turn.outcome(self.id, now, payload, failure, used)
        self.calls += 1
        self._observer.finished(turn.job.target, turn.job.call, outcome)
        self.idle_since, self.last_line_at = now, self._clock.now()
        turn.job.resolve(outcome)

    def _cancel_timers(self) -> None:
        self._alarm.cancel()
        for timer in (self._killing, self._silence):
            if timer is not None:
                timer.cancel()
        self._killing = self._silence = None

    def _release(self) -> None:
        self._channel.close()
        if self._output is not None:
            self._output.close()
        if self._peak_file >= 0:
            self._peak.read = None
            os.close(self._peak_file)
            self._peak_file = -1
