"""An instance that the core lent to this front, or places on one: runs calls over a control socket.

The counterpart of `engine.instance` while a lease lasts, on the same books (`engine.turns`). What the engine knows and
a front does not, that the instance died and how, the core tells; what the front knows and the core does not, that a
call takes too long or that the runtime talks nonsense, the front tells, and the core kills. Accounts of calls go to
the observer in the same order as there.

A lease of a whole instance runs one call at a time, with others sent ahead to wait in its socket, as in the engine. A
*share* is a number of places on an instance that runs several: a socket of its own to that runtime, while the core and
other fronts have theirs. A call on it that takes too long is cancelled, and costs the others nothing; what is printed
past Python's streams is in a pipe that the core reads.
"""

import asyncio
import contextlib
import os
import socket
from functools import partial
from typing import Protocol

from mayfly.clock import Clock
from mayfly.engine.alarm import Alarm
from mayfly.engine.api import Failure, FailureKind, Observer, Outcome, Target
from mayfly.engine.conversation import Frames
from mayfly.engine.failures import failure_of
from mayfly.engine.job import Job
from mayfly.engine.lines import LineSplitter
from mayfly.engine.output import OutputPipe
from mayfly.engine.parts import Parts
from mayfly.engine.peak import Peak
from mayfly.engine.turn import Turn
from mayfly.engine.turns import Turns
from mayfly.sandbox import frames, peak
from mayfly.sandbox.api import Exit

# How long word of a death that shows on the control socket may take, and how long killing may.
DEATH_GRACE_S = 2.0
KILL_GRACE_S = 5.0
# How long calls that took too long may go on with nothing beside them, before the core is told.
GIVING_UP_S = 1.0


class Owner(Protocol):
    """Who holds the lease. Called on the loop; must not raise."""

    def answered(self, instance: "Borrowed", outcome: Outcome, took_us: int) -> None:
        """A call ended, `took_us` by the word of the runtime (0: it did not say); see `relieved`."""

    def relieved(self, instance: "Borrowed") -> None:
        """It has room for a call, or may go back."""

    def unstarted(self, instance: "Borrowed", job: Job) -> None:
        """A call that waited at the instance did not begin before that ended."""

    def condemn(self, instance: "Borrowed", verdict: FailureKind) -> None:
        """The core is to end it; of a share, once all who have one say so where the verdict is "timeout"."""

    def buried(self, instance: "Borrowed") -> None:
        """It is dead, and its descriptors are closed."""


class Borrowed:
    """One lease. `calls` ended on it so far; `leaving` says why it is to go back, once it is."""

    def __init__(
        self,
        lease: str,
        instance: str,
        target: Target,
        observer: Observer,
        clock: Clock,
        owner: Owner,
        quiet_since: float,
        term_s: float,
        places: int | None = None,
    ) -> None:
        """Of no use before `open`, to be given back after `term_s`. `places`: of a share; None: a whole instance."""
        self.id = lease
        self.instance = instance
        self.target = target
        self.shared = places is not None
        self.places = places or 1
        self.most = 0  # calls at a time, since somebody set this to 0
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
        self._talk = Frames(self._frame, self._lost)
        self._output: OutputPipe | None = None
        self._between = LineSplitter()  # what the runtime says that no call printed
        self._peak_file = -1
        self._peak = Peak(None)
        self._turns = Turns()
        self._begun_at = 0.0  # the latest turn
        self._quiet = False  # its last call printed nothing that was not read
        self._alarm = Alarm(self._loop, self._due)  # the end of a call's time
        self._giving_up: asyncio.TimerHandle | None = None
        self._killing: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._verdict: FailureKind | None = None
        self._over = False

    async def open(self, descriptors: list[int]) -> None:
        """Take over `descriptors`: control socket, output pipe unless it is a share, and perhaps a file that tells peak
        memory. `OSError`."""
        control = socket.socket(fileno=descriptors[0])
        rest = descriptors[1:]
        if not self.shared:
            self._output = OutputPipe(self._loop, rest.pop(0), self._printed)
            self._output.resume()
        if rest:
            self._peak_file = rest[0]
            self._peak.read = partial(peak.read, self._peak_file)
        control.setblocking(False)
        await self._talk.over(control)
        self.opened = True
        if self._over:  # it died meanwhile
            self._talk.close()

    @property
    def load(self) -> int:
        """How many calls it runs, or has waiting."""
        return len(self._turns.running) + len(self._turns.waiting)

    @property
    def over(self) -> bool:
        """It takes no further call: it is dead, dying or given back."""
        return self._over

    @property
    def takes_calls(self) -> bool:
        """Whether it is to have any more."""
        return self.opened and not (self._over or self.leaving or self.to_return)

    @property
    def has_room(self) -> bool:
        """Whether it would run one more call at once."""
        return self.takes_calls and len(self._turns.running) < self.places and not self._turns.overdue

    @property
    def queues(self) -> bool:
        """Whether it runs a call, and others may be sent to wait behind it."""
        return not self.shared and self._quiet and len(self._turns.running) == 1 and self.takes_calls

    def busy_s(self, now: float) -> float:
        """How long ago the call that it runs began, where it runs one at a time."""
        return now - self._begun_at

    def run(self, job: Job) -> None:
        """Hand a call to this instance, which has room or lets it wait."""
        running, now = self._turns.running, self._clock.monotonic()
        turn = Turn(job, now, cold=False)
        if running and not self.shared:
            number = self._turns.wait(turn)
            self._sent_ahead()
            self._talk.invoke(number, job.call, int(self.target.timeout_s * 1000), soon=True, ahead=True)
            return
        if self._output is not None:
            self._output.flush()  # a line begun between calls is not part of this one
        number = self._turns.begin(turn)
        self._begin(turn, now)
        deadline_ms = int((self._clock.now() + self.target.timeout_s) * 1000)
        # Where one call is under way, more are likely to come in the same turn of the loop.
        self._talk.invoke(number, job.call, deadline_ms, soon=len(running) > 1, ahead=False)
        self.most = max(self.most, len(running))

    def shrink(self, most: int) -> int:
        """Give up places beyond `most` and those where calls run; how many they were. One is kept."""
        unused = max(0, self.places - max(1, most, len(self._turns.running)))
        self.places -= unused
        return unused

    def give_up(self) -> None:
        """Read what is there and close the descriptors: somebody else speaks to it from now on."""
        self._over = True
        self._cancel_timers()
        if self._output is not None:
            self._output.drain()
        self._release()

    async def died(self, exit_: Exit, verdict: FailureKind | None) -> None:
        """The core says that it is dead: settle its calls once its last word was read."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEATH_GRACE_S):
                await self._talk.lost()
        self._over = True
        self._verdict = self._verdict or verdict
        self._settle(exit_)
        self._release()
        self._owner.buried(self)

    def abandon(self) -> None:
        """The core is gone, and with it every instance."""
        self._over = True
        self._cancel_timers()
        self._release()

    def _begin(self, turn: Turn, now: float) -> None:
        """It runs from now on."""
        turn.reported = True
        self._begun_at = now
        turn.due_at = self._loop.time() + self.target.timeout_s
        self._observer.started(self.target, self.instance, turn.job.call)
        self._alarm.by(turn.due_at)

    def _begin_next(self, now: float) -> None:
        """The first of those that wait has begun, or begins now."""
        turn = self._turns.begin_next()
        self._sent_ahead()
        turn.begins(now)
        self._begin(turn, now)

    def _sent_ahead(self) -> None:
        assert self._output is not None
        self._output.heard = self._talk.heard if self._turns.waiting else None

    # What the runtime says.

    def _frame(self, frame: frames.Frame) -> None:
        answer = frame.kind in (frames.RESULT, frames.ERROR)
        if self._over:
            if answer:
                self._turns.unheard()
            return
        if frame.kind == frames.OUTPUT and self.shared:
            self._printed_by(frame.number, frame.payload)
            return
        if frame.kind in (frames.STREAM, frames.CHUNK):
            self._part(frame)
            return
        turn = self._turns.running.get(frame.number) if answer else None
        if turn is None:
            self._condemn("protocol")
        elif turn.overdue:
            self._answered_late(frame.number)
        else:
            self._answered(frame, turn)

    def _part(self, frame: frames.Frame) -> None:
        """A call's result comes in parts, which are put together: what is to be read as it comes, the core runs."""
        turn, number = self._turns.running.get(frame.number), frame.number
        if turn is None or (frame.kind == frames.STREAM) is (turn.parts is not None):
            self._condemn("protocol")
        elif turn.parts is None:
            said = str(frame.meta.get("content_type", ""))
            turn.parts = Parts(None, said, lambda taken: self._talk.more(number, taken))
        elif not turn.parts.add(frame.payload):
            self._condemn("protocol")

    def _answered(self, frame: frames.Frame, turn: Turn) -> None:
        turns, failure = self._turns, None
        if frame.kind == frames.ERROR:
            failure = Failure("raised", frame.payload)
            if frame.meta.get("fatal"):
                self.leaving = "fatal error"
        if self._output is not None:
            self._quiet = bool(frame.flags & frames.QUIET)
            if self._quiet:
                self._output.flush()
            else:
                self._output.drain()
                if turns.waiting:
                    self._talk.proceed()
        turns.end(frame.number)
        now = self._clock.monotonic()
        took_us = (frame.flags >> frames.TOOK_SHIFT) * frames.TOOK_US
        turn.least_ms = min(took_us / 1000, self.target.timeout_s * 1000)
        payload = frame.payload if failure is None else b""
        if turn.parts is not None and failure is None:
            payload = turn.parts.whole()
        outcome = self._conclude(turn, now, payload, failure, self._peak.lately(now))
        if turns.waiting:
            self._begin_next(now)
        elif turns.overdue:
            self._give_up()
        self._owner.answered(self, outcome, took_us)
        turn.job.resolve(outcome)
        self._owner.relieved(self)

    def _answered_late(self, number: int) -> None:
        """A call that failed for its time has ended: its place is free."""
        self._turns.end(number)
        if not self._turns.overdue and self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        self.idle_since = self._clock.monotonic()
        self._owner.relieved(self)

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
        self._report(self._turns.only, lines)

    def _printed_by(self, number: int, data: bytes) -> None:
        """The runtime says which call printed it; 0: none of them."""
        turn = self._turns.running.get(number)
        lines = (self._between if turn is None or turn.overdue else turn.lines()).feed(data)
        if lines:
            self._report(turn, lines)

    def _report(self, turn: Turn | None, lines: list[str]) -> None:
        now = self.last_line_at = self._clock.now()
        call = turn.job.call if turn is not None and not turn.overdue else None
        self._observer.output(self.target, self.instance, call, [(now, line) for line in lines])

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
        """Settle the calls that were under way when the instance ended."""
        self._cancel_timers()
        if self._output is not None:
            self._output.drain()
        begun, waited = self._turns.close(dead=exit_ is not None)
        used = exit_.peak_memory_bytes if exit_ is not None else self._peak.last
        for turn in begun:
            if not turn.reported:  # the runtime began it when its fate was sealed
                turn.reported = True
                self._observer.started(self.target, self.instance, turn.job.call)
            failure = failure_of(self._verdict, exit_)
            outcome = self._conclude(turn, self._clock.monotonic(), b"", failure, used)
            self._owner.answered(self, outcome, 0)
            turn.job.resolve(outcome)
        for turn in waited:
            self._owner.unstarted(self, turn.job)

    def _due(self) -> None:
        """The time of a call may be over."""
        for number, turn in self._turns.due(self._loop.time()):
            if not self.shared:
                self._condemn("timeout")
                return
            self._ran_over(number, turn)
        if not self._over and (due_at := self._turns.next_due_at()) is not None:
            self._alarm.by(due_at)

    def _ran_over(self, number: int, turn: Turn) -> None:
        """One of several calls took too long."""
        now = self._clock.monotonic()
        outcome = self._conclude(turn, now, b"", Failure("timeout"), self._peak.now(now))
        self._turns.give_up(turn)
        self._talk.cancel(number)
        self._give_up()
        self._owner.answered(self, outcome, 0)
        turn.job.resolve(outcome)

    def _give_up(self) -> None:
        """If nothing but calls that took too long is left, they get a little more time before the core hears of it."""
        if self._giving_up is None and self._turns.only_overdue:
            self._giving_up = self._loop.call_later(GIVING_UP_S, self._given_up)

    def _given_up(self) -> None:
        self._giving_up = None
        if self._turns.only_overdue and not self._over:
            self.to_return = True
            self._owner.condemn(self, "timeout")

    def _conclude(self, turn: Turn, now: float, payload: bytes, failure: Failure | None, used: int) -> Outcome:
        """Report the end of a call, all of whose output has come."""
        if (rest := turn.rest()) is not None:
            self._report(turn, rest)
        outcome = turn.outcome(self.instance, now, payload, failure, used)
        self.calls += 1
        self._observer.finished(self.target, turn.job.call, outcome)
        self.idle_since, self.last_line_at = now, self._clock.now()
        return outcome

    def _cancel_timers(self) -> None:
        self._alarm.cancel()
        for timer in (self._giving_up, self._killing, self._silence):
            if timer is not None:
                timer.cancel()
        self._giving_up = self._killing = self._silence = None

    def _release(self) -> None:
        self._talk.close()
        if self._output is not None:
            self._output.close()
        if self._peak_file >= 0:
            self._peak.read = None
            os.close(self._peak_file)
            self._peak_file = -1
