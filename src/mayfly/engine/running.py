"""How an instance runs calls, from the hand-over of each to its answer.

Calls sent ahead. Where `policy.queueing` says so, an instance that runs one call at a time is sent more while it is
busy. They wait in its socket, and have not begun: their time, their log and their account begin with the answer to the
call before.

How an answer is known to be complete. The runtime writes what a call printed into the output pipe before it answers on
the control socket. So when the answer has been read, everything printed is in the pipe, and the pipe is emptied before
the call is reported as finished; unless the runtime says that it was empty (`frames.QUIET`).

Several calls at a time. What each printed comes with its number on the control socket; what is in the pipe was printed
past Python's streams, and belongs to a call only if no other one ran.
"""

from typing import Self

from mayfly.engine.api import Failure
from mayfly.engine.ending import Ending
from mayfly.engine.ends import Ends
from mayfly.engine.job import Job
from mayfly.engine.parts import Parts
from mayfly.engine.states import Event, State
from mayfly.engine.turn import Turn
from mayfly.sandbox import frames


class Running(Ending):
    """An instance that runs calls."""

    def run(self, job: Job) -> None:
        """Hand a call to this instance, which is idle, has room, or lets it wait."""
        assert self._ends is not None
        running = self._turns.running
        if running and self.capacity == 1:
            self._queue(job, self._ends)
            return
        if not running and not self._shares.places:
            if self._lifecycle.state is State.FROZEN:
                self._thaw(self._ends)
            self._lifecycle.feed(Event.CALLED)
            self._ends.output.flush()  # a line begun between calls is not part of this one
        now = self._host.clock.monotonic()
        self._go(Turn(job, now, cold=False), now, self.target.timeout_s)

    def _queue(self, job: Job, ends: Ends) -> None:
        number = self._turns.wait(Turn(job, self._host.clock.monotonic(), cold=False))
        ends.sent_ahead(waiting=True)
        ends.send_invoke(number, job.call, int(self.target.timeout_s * 1000), soon=True, ahead=True)

    def _begin_next(self, ends: Ends, now: float) -> None:
        """The first of those that wait has begun, or begins now."""
        turn = self._turns.begin_next()
        ends.sent_ahead(waiting=bool(self._turns.waiting))
        turn.begins(now)
        turn.reported = True
        self._begun_at = now
        turn.due_at = self._loop.time() + self.target.timeout_s
        self._host.observer.started(self.target, self.id, turn.job.call)
        self._alarm.by(turn.due_at)

    def _go(self, turn: Turn, now: float, left_s: float, sent: int = 0) -> None:
        """The handler is to run from now on, and has `left_s` to do so. `sent`: the number with which the runtime has
        the call already."""
        assert self._ends is not None
        number = self._turns.begin(turn, sent)
        turn.due_at = self._loop.time() + left_s
        self._begun_at = now
        turn.reported = True
        self._host.observer.started(self.target, self.id, turn.job.call)
        if not sent:
            deadline_ms = int((self._host.clock.now() + left_s) * 1000)
            # Where one call is under way, more are likely to come in the same turn.
            soon = len(self._turns.running) > 1
            self._ends.send_invoke(number, turn.job.call, deadline_ms, soon=soon, into=turn.job.into)
        self._alarm.by(turn.due_at)

    # Answers.

    def _part(self, frame: frames.Frame) -> None:
        """A call's result comes in parts."""
        turn, ends = self._turns.running.get(frame.number), self._ends
        assert ends is not None
        if turn is None or (frame.kind == frames.STREAM) is (turn.parts is not None):
            self._condemn("protocol")
        elif turn.parts is None:
            into = turn.job.into if not turn.overdue else None
            said = str(frame.meta.get("content_type", ""))
            turn.parts = Parts(into, said, lambda taken: ends.send_more(frame.number, taken))
        elif not turn.parts.add(frame.payload):
            self._condemn("protocol")

    def _answer(self: Self, frame: frames.Frame, failure: Failure | None) -> None:
        turns = self._turns
        turn = turns.running.get(frame.number)
        if turn is None:
            self._condemn("protocol")
            return
        if turn.overdue:
            self._answered_late(frame.number)
            return
        ends = self._ends
        assert ends is not None
        self._quiet = bool(frame.flags & frames.QUIET)
        if self._quiet:
            ends.output.flush()
        else:
            ends.output.drain()
            if turns.waiting:
                ends.send_continue()
        lingers = bool(frame.head) and bool(frame.meta.get("lingers"))
        if lingers:
            self._linger(turn)
        else:
            turns.end(frame.number)
        now = self._host.clock.monotonic()
        self.took_us = (frame.flags >> frames.TOOK_SHIFT) * frames.TOOK_US
        turn.least_ms = min(self.took_us / 1000, self.target.timeout_s * 1000)
        payload = frame.payload if failure is None else b""
        if turn.parts is not None and failure is None:
            payload = turn.parts.whole()
        outcome = self._conclude(turn, now, payload, failure, self._peak.lately(now))
        if turns.waiting:
            self._begin_next(ends, now)
        elif not turns.running and not self._shares.places:
            self._rest(now)
        elif lingers:
            pass  # it is told when nothing works for the call any more
        elif turns.overdue or self._shares.stuck_ones:
            self._give_up()
        self._owner.answered(self, turn.job, outcome)

    def _linger(self, turn: Turn) -> None:
        """A call has its answer, and something works on for it: as long as the call might have taken, at most."""
        self._turns.give_up(turn)
        self._giving_up = self._loop.call_at(turn.due_at, self._given_up)

    def _rest(self, now: float) -> None:
        """Its last call has ended."""
        if self._lifecycle.feed(Event.ANSWERED) is State.ENDING:
            self._reason = self._leaving
            self._begin_end()
        else:
            self.idle_since = now

    def _answered_late(self: Self, number: int) -> None:
        """A call that failed for its time, or was answered before all was done, has ended: its place is free."""
        self._turns.end(number)
        if not self._turns.overdue and self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        if not self._turns.running and not self._shares.places:
            self._rest(self._host.clock.monotonic())
        if self.has_room or self.state is State.IDLE:
            self._owner.relieved(self)

    # Output.

    def _printed(self, lines: list[str]) -> None:
        if self._lifecycle.state is State.PROVISIONING:
            self._early.append(lines)
            return
        self._report(self._first if self._shares.places else self._turns.only or self._first, lines)

    def _printed_by(self, number: int, data: bytes) -> None:
        """The runtime says which call printed it; 0: none of them."""
        turn = self._turns.running.get(number)
        if turn is None or turn.overdue:
            turn = None
            lines = self._between.feed(data)
        else:
            lines = turn.lines().feed(data)
        if lines:
            self._report(turn, lines)
