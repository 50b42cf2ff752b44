"""How an instance ends: because it is told to, because of what it does, or because its time is over.

When an instance dies, both ends are awaited: the report of its exit, and the end of its control socket behind the last
frame; only then is the fate of its calls read off. Those that had begun fail with what ended it; those that had not are
handed back to the owner.

Of several calls at a time, one that takes too long fails, and no other with it: the runtime is told to give it up, and
the instance takes no new call until it has. When nothing is left to wait for but such calls, the instance ends after
`GIVING_UP_S`; one whose event loop is blocked goes this way.
"""

import asyncio
from typing import Self

from mayfly.engine.alarm import Alarm
from mayfly.engine.api import Failure, FailureKind, Outcome, Target
from mayfly.engine.body import Body
from mayfly.engine.failures import failure_of
from mayfly.engine.job import Job
from mayfly.engine.owner import Host, Owner
from mayfly.engine.states import RESTING, Event, State
from mayfly.engine.turn import Turn
from mayfly.errors import PlatformError
from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit

# How long the end of the control socket and the report of the exit may lie apart before the missing one is given up on.
# They come from the same event; on a busy machine the report was seen some 20 ms late.
DEATH_GRACE_S = 2.0
# How long killing may take before the call is answered without waiting for it.
KILL_GRACE_S = 5.0
# How long calls that took too long may go on with nothing beside them.
GIVING_UP_S = 1.0
# Init that fails so is repeated.
_REPEATED = frozenset(("init-timeout", "init-raised", "exited", "out-of-memory"))
# How long what was said already may take to be read, when the time of init is over.
_LOOK_AGAIN_S = 0.01


class Ending(Body):
    """An instance that can end."""

    def __init__(self, instance_id: str, target: Target, job: Job | None, host: Host, owner: "Owner[Self]") -> None:
        super().__init__(instance_id, target, job, host, owner)
        self._alarm = Alarm(self._loop, self._due)  # the end of init's or of a call's time
        self._giving_up: asyncio.TimerHandle | None = None
        self._killing: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._looked_again = False  # when init took too long

    # What the engine asks for.

    def condemn(self, verdict: FailureKind) -> None:
        """End it for what a call did, as its borrower says."""
        self._condemn(verdict)

    def retire(self, reason: str = "retired") -> None:
        """Take no further call: end now when idle, after the current call when there is one or the lease."""
        self._leaving = self._leaving or reason
        if self.state in RESTING:
            self.end(reason)
        elif self.state is State.BUSY:
            self._lifecycle.feed(Event.RETIRED)

    def end(self, reason: str) -> None:
        """Kill every process. A call that runs fails with what made the instance end. Idempotent."""
        if self._over:
            return
        self._reason = reason
        self._lifecycle.feed(Event.ENDED)
        self._begin_end()

    def cut_off(self, error: PlatformError) -> None:
        """`end`, and the call that runs is the platform's failure, not the function's."""
        self._cut_off = error
        self.end("shutdown")

    def stop(self, request_id: str) -> bool:
        """See `engine.api.Engine.stop`."""
        if self._over:
            return False
        if self._first is not None and self._first.job.call.request_id == request_id:
            self._condemn("stopped")
            return True
        for number, turn in self._turns.running.items():
            if turn.job.call.request_id == request_id and not turn.overdue:
                if self.capacity == 1:
                    self._condemn("stopped")
                else:
                    self._ran_over(number, turn, "stopped")
                return True
        return False

    # How it goes wrong.

    def _channel_lost(self, garbage: frames.FrameError | None) -> None:
        if self._over:
            return
        if garbage is not None:
            self._condemn("protocol")
            return
        self._unusable()
        if not self._over:
            # Its exit is reported about now. If it is not, the runtime closed its control socket and lives on.
            self._silence = self._loop.call_later(DEATH_GRACE_S, self._condemn, "protocol")

    def _unusable(self) -> None:
        """Nothing can be said to it any more; what it said before its end may still be on its way."""
        self.retire("died while idle" if self.state in RESTING else "died")

    def _due(self) -> None:
        """The time of init is over, or that of a call may be."""
        if self.state is State.INITIALIZING:
            if self._sent and not self._looked_again and self._ends is not None and not self._ends.heard():
                self._looked_again = True  # it may be ready, and then has begun its call
                self._alarm.by(self._loop.time() + _LOOK_AGAIN_S)
                return
            self._condemn("restore-timeout" if self._restores else "init-timeout")
            return
        for number, turn in self._turns.due(self._loop.time()):
            if self.capacity == 1:
                self._condemn("timeout")
                return
            self._ran_over(number, turn)
        if not self._over and (due_at := self._turns.next_due_at()) is not None:
            self._alarm.by(due_at)

    def _ran_over(self: Self, number: int, turn: Turn, verdict: FailureKind = "timeout") -> None:
        """One of several calls took too long, or is not wanted any more."""
        assert self._ends is not None
        if len(self._turns.running) == 1:
            self._drain()
        now = self._host.clock.monotonic()
        outcome = self._conclude(turn, now, b"", Failure(verdict), self._peak.now(now))
        self._turns.give_up(turn)
        self._ends.send_cancel(number)
        self._give_up()
        self._owner.answered(self, turn.job, outcome)

    def _give_up(self) -> None:
        """If nothing but calls that took too long is left, they get a little more time, and the instance none."""
        if self._giving_up is None and self._only_overdue:
            self._giving_up = self._loop.call_later(GIVING_UP_S, self._given_up)

    def _given_up(self) -> None:
        self._giving_up = None
        if self._only_overdue:
            self.end("timeout")

    @property
    def _only_overdue(self) -> bool:
        """Whether nothing goes on here but calls that took too long."""
        turns, shares = self._turns, self._shares
        return (turns.only_overdue or not turns.running) and shares.stuck and bool(turns.running or shares.places)

    def _condemn(self, verdict: FailureKind) -> None:
        if not self._over:
            self._verdict = verdict
            self.end(verdict)

    # The end.

    def _begin_end(self: Self) -> None:
        """The processes are to die; `live` goes on when they have."""
        self._cancel_timers()
        self._owner.ended(self)
        if self._ends is not None:
            if self._ends.farewell(self._reason, self._ends.sandbox.kill):
                self._loop.call_soon(self._settle, None)  # what becomes of its calls is known, and nobody waits
                return
            self._ends.sandbox.kill()
            if self._first is not None or self._turns.running:
                self._killing = self._loop.call_later(KILL_GRACE_S, self._settle, None)

    def _settle(self: Self, exit_: Exit | None) -> None:
        """Settle the calls that were under way when the instance ended."""
        self._cancel_timers()
        self._drain()
        begun, waited = self._turns.close(dead=exit_ is not None)
        failure = failure_of(self._verdict, exit_, self._program_exit)
        peak = exit_.peak_memory_bytes if exit_ is not None else self._peak.last
        self._settle_first(failure, peak, by_itself=exit_ is not None and exit_.reason == self._reason)
        for turn in begun:
            if self._cut_off is not None:
                self._owner.lost(self, turn.job, self._cut_off)
            else:
                outcome = self._conclude(turn, self._host.clock.monotonic(), b"", failure, peak)
                self._owner.answered(self, turn.job, outcome)
        for turn in waited:
            if self._cut_off is not None:
                self._owner.lost(self, turn.job, self._cut_off)
            else:
                self._owner.unstarted(self, turn.job)

    def _settle_first(self: Self, failure: Failure, peak: int, *, by_itself: bool) -> None:
        """Settle the call that init was for, and tell how that ended. `by_itself`: nobody had the instance end."""
        turn, self._first = self._first, None
        if turn is None:
            if by_itself or self._verdict is not None or self._program_exit is not None:
                self._tell_of_init(failure)
        elif self._cut_off is not None:
            self._owner.lost(self, turn.job, self._cut_off)
        elif self._may_repeat(turn, failure):
            self._tell_of_init(failure)
            self._owner.repeat_init(self, turn.job)
        else:
            outcome = self._init_ended_call(turn, self._host.clock.monotonic(), failure, peak)
            self._owner.answered(self, turn.job, outcome)

    def _may_repeat(self, turn: Turn, failure: Failure) -> bool:
        """Whether the call that init was for gets another instance, which has the call's own time for that: once, as on
        AWS, and never where the call may have begun."""
        return (
            failure.kind in _REPEATED and not turn.job.init_repeated and not self._began_unheard and not self._restores
        )

    def _init_ended_call(self, turn: Turn, now: float, failure: Failure, peak: int) -> Outcome:
        """Report a call that ended with its init."""
        if turn.job.init_repeated:
            self._tell_of_init(failure, "invoke")
        return self._conclude(turn, now, b"", failure, peak)

    def _cancel_timers(self) -> None:
        self._alarm.cancel()
        for timer in (self._giving_up, self._killing, self._silence):
            if timer is not None:
                timer.cancel()
        self._giving_up = self._killing = self._silence = None
