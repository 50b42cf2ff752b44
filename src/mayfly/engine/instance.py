"""One instance: drives one sandbox through the life that `states` describes.

It runs one call at a time, or up to `capacity` where the target allows several and the runtime can. It is busy as long
as it runs any, or places of it are lent (`shares`).

`live` is the whole life and the instance's only task; calls are handed over by `run` and answered from the callbacks
of its control socket, so a warm call needs no task of its own. The engine is told what happens through `Owner`; it
alone decides which call runs where.

Calls sent ahead. Where `policy.queueing` says so, an instance that runs one call at a time is sent more while it is
busy. They wait in its socket, and have not begun: their time, their log and their account begin with the answer to the
call before. When the instance ends, those that had not begun are handed back to the owner, which runs them elsewhere.

How an answer is known to be complete. The runtime writes what a call printed into the output pipe before it answers on
the control socket. So when the answer has been read, everything printed is in the pipe, and the pipe is emptied before
the call is reported as finished; unless the runtime says that it was empty (`frames.QUIET`). For the same reason the
first call is sent when the runtime is ready, not along with the code to load: only then can what init printed be told
from what the handler printed, and the deadline be exact. (The way from here to the runtime costs some 50 µs of a cold
start.)

Several calls at a time. What each printed comes with its number on the control socket; what is in the pipe was printed
past Python's streams, and belongs to a call only if no other one ran. A call that takes too long fails, and no other
one with it: the runtime is told to give it up, and the instance takes no new call until it has. When nothing is left to
wait for but such calls, the instance is ended after `GIVING_UP_S`; one whose event loop is blocked goes this way.

When an instance dies instead, both ends are awaited: the report of its exit, and the end of its control socket behind
the last frame; only then is the fate of its call read off.
"""

import asyncio
import logging
import socket
from typing import Any

from mayfly.engine.alarm import Alarm
from mayfly.engine.api import Failure, FailureKind, Outcome, Target
from mayfly.engine.contracts import converse
from mayfly.engine.conversation import init_frame
from mayfly.engine.ends import Ends
from mayfly.engine.failures import failure_of
from mayfly.engine.job import Job
from mayfly.engine.lines import LineSplitter
from mayfly.engine.owner import Host, Keeper, Lent, Owner
from mayfly.engine.parts import Parts
from mayfly.engine.peak import Peak
from mayfly.engine.provision import provision
from mayfly.engine.shares import Shares
from mayfly.engine.starts import Account, capacity_of, takes_shares
from mayfly.engine.states import RESTING, Event, Lifecycle, State
from mayfly.engine.turn import Turn
from mayfly.engine.turns import Turns
from mayfly.errors import MayflyError, PlatformError
from mayfly.policy import freezing
from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit

# How long the end of the control socket and the report of the exit may lie apart before the missing one is given up on.
# They come from the same event; on a busy machine the report was seen some 20 ms late.
DEATH_GRACE_S = 2.0
# How long killing may take before the call is answered without waiting for it.
KILL_GRACE_S = 5.0
# How long calls that took too long may go on with nothing beside them.
GIVING_UP_S = 1.0
# How long init may take, at least, in an instance that no call waits for, as on AWS.
AHEAD_INIT_TIMEOUT_S = 130.0

_log = logging.getLogger(__name__)


class Instance:
    """One instance. Made for a first call, which it is handed as soon as it runs, or ahead of all (`job` None)."""

    def __init__(self, instance_id: str, target: Target, job: Job | None, host: Host, owner: "Owner[Instance]") -> None:
        self.id = instance_id
        self.target = target
        self.calls = 0  # that ended
        self.created_at = host.clock.monotonic()
        self.idle_since = self.created_at
        self.first_as_of = -1  # when the engine looked last how long it may idle as the next one to be used
        self.below_as_of = -1  # likewise, as the one after that
        self.holds_mb = target.sandbox.memory_mb  # in the engine's books; less while it is frozen
        self.grace_s = freezing.FIRST_S  # before it is frozen
        self._frozen_at = 0.0
        self._account = Account(self.created_at)
        self.start_ms = 0.0  # from the decision to start it until the handler could run
        self._host = host
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._lifecycle = Lifecycle()
        self.capacity = target.concurrency  # calls at a time; that of its runtime, once it is known
        self._first = Turn(job, self.created_at, cold=True) if job is not None else None  # the call that init is for
        self._turns = Turns()
        self._shares = Shares()
        self._begun_at = 0.0  # the latest turn
        self._quiet = False  # its last call printed nothing that was not read
        self.took_us = 0  # the latest call that was answered, by the word of the runtime; 0: it did not say
        self._ends: Ends | None = None
        self._early: list[frames.Frame | list[str]] = []  # what was said, or printed, before word of the sandbox came
        self._alarm = Alarm(self._loop, self._due)  # the end of init's or of a call's time
        self._giving_up: asyncio.TimerHandle | None = None
        self._killing: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._peak = Peak(None)
        self._keeper: Keeper[Instance] | None = None  # while it is lent
        self._between = LineSplitter()  # what the runtime says that no call printed
        self._leaving = ""  # why it takes no further call, once it does not
        self._verdict: FailureKind | None = None
        self._cut_off: PlatformError | None = None
        self._program_exit: dict[str, Any] | None = None  # how the program ended, where that is why the instance did
        self._reason = ""

    @property
    def wake_mb(self) -> int:
        """How much more it will hold when it runs."""
        return self.target.sandbox.memory_mb - self.holds_mb

    @property
    def state(self) -> State:
        return self._lifecycle.state

    @property
    def reason(self) -> str:
        """Why it ended; empty while it lives."""
        return self._reason

    @property
    def load(self) -> int:
        """How many calls it runs, or has waiting."""
        return len(self._turns.running) + len(self._turns.waiting) + self._shares.places

    @property
    def has_room(self) -> bool:
        """Whether it runs calls and may be handed one more."""
        turns, shares = self._turns, self._shares
        if self._lifecycle.state is not State.BUSY or turns.overdue or shares.stuck_ones:
            return False
        return len(turns.running) + shares.places < self.capacity

    @property
    def shares(self) -> Shares:
        """What of it is lent by the place."""
        return self._shares

    @property
    def queues(self) -> bool:
        """Whether it runs a call, and others may be sent to wait behind it."""
        running = len(self._turns.running)
        return self._lifecycle.state is State.BUSY and self.capacity == 1 and self._quiet and running == 1

    def busy_s(self, now: float) -> float:
        """How long ago the call that it runs began, where it runs one at a time."""
        return now - self._begun_at

    # What the engine asks for.

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

    def freeze(self) -> bool:
        """Stop all processes of this idle instance until its next call; False where that cannot be done."""
        assert self._ends is not None
        if not self._ends.sandbox.freeze():
            return False
        self._lifecycle.feed(Event.FROZE)
        now = self._frozen_at = self._host.clock.monotonic()
        self._owner.frozen(self, freezing.held_mb(self.target.sandbox.memory_mb, self._peak.now(now)))
        return True

    def _thaw(self, ends: Ends) -> None:
        self._owner.thaws(self)
        ends.sandbox.thaw()
        self.grace_s = freezing.next_grace_s(self.grace_s, self._host.clock.monotonic() - self._frozen_at)

    def lend(self, keeper: "Keeper[Instance]") -> Lent:
        """Let somebody else run calls on this idle instance, until `take_back`."""
        assert self._ends is not None
        if self.state is State.FROZEN:
            self._thaw(self._ends)
        self._lifecycle.feed(Event.LENT)
        self._keeper = keeper
        self._ends.pause()
        sandbox = self._ends.sandbox
        idle_s = self._host.clock.monotonic() - self.idle_since
        return Lent(
            instance=self.id,
            target=self.target,
            control=sandbox.control.fileno(),
            output=sandbox.output,
            peak=sandbox.peak_file(),
            idle_since=self._host.clock.now() - idle_s,
        )

    def take_back(self) -> bool:
        """It is idle, and nobody else speaks to it any more. False when it has died, and is to be buried first."""
        if self.state is not State.LENT:
            return False
        assert self._ends is not None
        self._keeper = None
        self._lifecycle.feed(Event.RETURNED)
        self.idle_since = self._host.clock.monotonic()
        self._ends.resume()
        if self._leaving:
            self.end(self._leaving)
        return True

    def share(self, places: int, keeper: "Keeper[Instance]") -> int:
        """Lend places of this instance, which is idle or has room for so many; the number of the share."""
        assert self._ends is not None
        if not self._turns.running and not self._shares.places:
            if self.state is State.FROZEN:
                self._thaw(self._ends)
            self._lifecycle.feed(Event.CALLED)
        self._keeper = keeper
        return self._shares.take(places)

    async def connect(self, number: int) -> tuple[socket.socket, int | None] | None:
        """A borrower's ends of a share: a socket, and a file that tells peak memory. None: it is not to be had."""
        assert self._ends is not None
        theirs = await self._shares.connect(number, self._ends.send_share)
        return (theirs, self._ends.sandbox.peak_file()) if theirs is not None else None

    def unshare(self, number: int) -> None:
        """A share is given back; none of its calls runs."""
        if not self._shares.drop(number):
            return
        if self.state in (State.BUSY, State.DRAINING):
            if not self._turns.running and not self._shares.places:
                self._rest(self._host.clock.monotonic())
            elif self._turns.overdue or self._shares.stuck_ones:
                self._give_up()
            if self.state in (State.BUSY, State.IDLE):
                self._owner.relieved(self)

    def give_back_places(self, number: int, places: int) -> None:
        """So many places of a share are not used any more."""
        self._shares.grow(number, -places)
        if self.has_room:
            self._owner.relieved(self)

    def abandon_share(self, number: int) -> bool:
        """Whose share it was is gone. Its places are free (True) when its calls have ended, and else the instance ends,
        after a time in which they may."""
        if self._shares.abandon(number):
            return True
        self._loop.call_later(GIVING_UP_S, self._still_held, number)
        return False

    def _still_held(self, number: int) -> None:
        if self._shares.holds(number):
            self.end("its front process ended")

    def stuck(self, number: int) -> None:
        """All calls of a share took too long, and go on."""
        self._shares.get_stuck(number)
        self._give_up()

    @property
    def verdict(self) -> FailureKind | None:
        """What its calls fail of, if that is why it ended."""
        return self._verdict

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

    # The life of the instance.

    async def live(self) -> None:
        """From the making of the sandbox until nothing of it is left."""
        exit_: Exit | None = None
        try:
            try:
                ends = await self._provision()
            except Exception as error:
                self._fail_to_start(error)
            else:
                exit_ = await self._death(ends)
        except Exception as error:
            _log.exception("instance %s of %s was lost", self.id, self.target.function)
            self._cut_off = PlatformError(f"the instance was lost: {error}")
        finally:
            self.end("failed")
            self._settle(exit_)
            self._cancel_timers()
            await self._dispose()

    async def _provision(self) -> Ends:
        """Make the sandbox and send it its first frame."""
        await self._owner.room()
        awaited = self._first is not None
        greet = self._greet if self.target.contract == "frames" else None
        started, environment = await provision(self._host.templates, self.target, self.id, greet, awaited=awaited)
        sandbox = started.sandbox
        from_spare = started.origin == "spare"
        self._account.sandbox_made(self._host.clock.monotonic(), sandbox.origin, environment, from_spare=from_spare)
        try:
            talk = converse(self.target, self._frame, self._channel_lost, self._printed, self._host.clock)
            ends = self._ends = await Ends.open(sandbox, talk, self._printed)
        except BaseException:
            await sandbox.discard()
            raise
        self._peak.read = sandbox.peak_memory
        ends.serve_endpoint(self._host.endpoints, self.target, self.id)
        if self.state is State.PROVISIONING:
            self._begin_init(ends, environment, greeted=started.greeted)
        else:  # it was ended meanwhile
            sandbox.kill()
        return ends

    def _greet(self, environment: dict[str, str]) -> bytes:
        return init_frame(self.target, environment, self._task_root)

    @property
    def _task_root(self) -> str:
        return str(self.target.sandbox.code) if self._host.factory.level == "process" else "/var/task"

    def _begin_init(self, ends: Ends, environment: dict[str, str], *, greeted: bool) -> None:
        job = self._first.job if self._first is not None else None
        self._lifecycle.feed(Event.PROVISIONED)
        self._owner.provisioned(self)
        if job is None:
            limit_s = max(AHEAD_INIT_TIMEOUT_S, self.target.timeout_s)
        else:
            self._first = Turn(job, self._host.clock.monotonic(), cold=True)
            limit_s = self.target.timeout_s if job.init_repeated else self._host.init_timeout_s
        if not greeted:
            ends.send_init(self.target, environment, self._task_root)
        since_s = self._host.clock.monotonic() - self.created_at if self._restores else 0.0
        began_at = self._host.clock.now() - since_s
        self._host.observer.began(self.target, self.id, began_at, restored=self._restores)
        self._alarm.by(self._loop.time() + limit_s)
        early, self._early = self._early, []
        for said in early:
            if isinstance(said, frames.Frame):
                self._frame(said)
            else:
                self._printed(said)

    async def _death(self, ends: Ends) -> Exit:
        """Wait for the end, whoever brings it about, and read the fate of the current call off it."""
        exit_ = await ends.sandbox.exited()
        if self._keeper is not None:
            await self._keeper.bury(self, exit_)
            ends.resume()
        self._unusable()
        await ends.lost(DEATH_GRACE_S)
        self.end(exit_.reason)
        self._settle(exit_)
        return exit_

    async def _dispose(self) -> None:
        """Give back everything, and say so."""
        try:
            if self._ends is not None:
                self._ends.close()
                await self._ends.sandbox.discard()
        finally:
            self._lifecycle.feed(Event.GONE)
            self._owner.gone(self)
            self._host.observer.terminated(self.target, self.id, self._reason)

    def _fail_to_start(self, error: Exception) -> None:
        turn = self._first
        self.end("failed to start" if turn is not None else f"failed to start: {error}")
        if self._cut_off is not None:
            return
        if turn is None:
            _log.warning("no instance of %s could be started ahead of calls: %s", self.target.function, error)
            return
        if not isinstance(error, MayflyError):
            _log.error("instance %s of %s failed to start", self.id, self.target.function, exc_info=error)
        self._first = None
        self._owner.unprovisioned(self, turn.job, error)

    # What the runtime says.

    def _frame(self, frame: frames.Frame) -> None:
        state, kind = self._lifecycle.state, frame.kind
        if state is State.BUSY or state is State.DRAINING:
            if kind == frames.RESULT:
                self._answer(frame, None)
                return
            if kind == frames.ERROR:
                if frame.meta.get("fatal"):
                    self.retire("fatal error")
                self._answer(frame, Failure("raised", frame.payload))
                return
            if kind == frames.STREAM or kind == frames.CHUNK:
                self._part(frame)
                return
            if kind == frames.DONE and (turn := self._turns.running.get(frame.number)) and turn.overdue:
                self._answered_late(frame.number)
                return
        if self._over:
            if kind in (frames.RESULT, frames.ERROR):
                self._turns.unheard()
            return  # its fate is sealed; what it says now comes too late
        if state is State.PROVISIONING:
            self._early.append(frame)
            return
        if kind in (frames.SHARED, frames.UNSHARED) and self.capacity > 1 and state is not State.INITIALIZING:
            self._share_changed(kind, frame.number)
        elif kind == frames.READY and state is State.INITIALIZING:
            self._ready(frame.meta)
        elif kind == frames.INIT_ERROR and state is State.INITIALIZING:
            meta = frame.meta
            kind_of_failure: FailureKind = "restore-raised" if meta.get("restoring") else "init-raised"
            error_type, cause = meta.get("type", ""), meta.get("cause", "")
            self._init_failed(Failure(kind_of_failure, frame.payload, error_type=error_type, cause=cause))
        elif kind == frames.ENDED and self.target.contract == "program":
            self._program_ended(frame.meta)
        elif kind == frames.OUTPUT and self.capacity > 1 and state is not State.INITIALIZING:
            self._printed_by(frame.number, frame.payload)
        else:
            self._condemn("protocol")

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

    def _ready(self, meta: dict[str, Any]) -> None:
        assert self._ends is not None
        now = self._host.clock.monotonic()
        start = self._account.ready(now, meta, snap_start=self.target.snap_start)
        self._host.templates.learned(self.target, start, self._account.environment)
        self.start_ms = (now - self.created_at) * 1000
        self.capacity = capacity_of(meta.get("concurrency"), self.target.concurrency)
        self._shares.possible = takes_shares(meta.get("shares"), self.capacity)
        self._lifecycle.feed(Event.READY)
        self._owner.ready(self)
        self._cancel_timers()
        if start.restored:
            self._ends.output.drain()  # what its hooks printed
            self._host.observer.initialized(self.target, self.id, start.total_ms, None, restored=True)
        turn = self._first
        if turn is None:
            self._idle_from_the_start(now)
            return
        turn.start = start
        self._lifecycle.feed(Event.CALLED)
        self._ends.output.drain()
        self._first = None
        self._go(turn, now, turn.init_ended(now))
        if self._leaving:
            self._lifecycle.feed(Event.RETIRED)
        elif self.target.concurrency > 1:
            self._owner.relieved(self)

    def _idle_from_the_start(self, now: float) -> None:
        """It was made ahead of calls, and is ready for one."""
        assert self._ends is not None
        self._ends.output.drain()
        self.idle_since = now
        if self._leaving:
            self.end(self._leaving)
        else:
            self._owner.initialized(self)

    def _go(self, turn: Turn, now: float, left_s: float) -> None:
        """The handler is to run from now on, and has `left_s` to do so."""
        assert self._ends is not None
        number = self._turns.begin(turn)
        turn.due_at = self._loop.time() + left_s
        self._begun_at = now
        turn.reported = True
        self._host.observer.started(self.target, self.id, turn.job.call)
        deadline_ms = int((self._host.clock.now() + left_s) * 1000)
        # Where one call is under way, more are likely to come in the same turn.
        soon = len(self._turns.running) > 1
        self._ends.send_invoke(number, turn.job.call, deadline_ms, soon=soon, into=turn.job.into)
        self._alarm.by(turn.due_at)

    def _init_failed(self, failure: Failure) -> None:
        if self._first is None:
            self.end("init failed")
            return
        turn = self._first
        self._reason = "init failed"
        self._lifecycle.feed(Event.ENDED)
        self._drain()
        self._first = None
        now = self._host.clock.monotonic()
        outcome = self._conclude(turn, now, b"", failure, self._peak.now(now))
        self._begin_end()
        self._owner.answered(self, turn.job, outcome)

    def _answer(self, frame: frames.Frame, failure: Failure | None) -> None:
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

    def _answered_late(self, number: int) -> None:
        """A call that failed for its time, or was answered before all was done, has ended: its place is free."""
        self._turns.end(number)
        if not self._turns.overdue and self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        if not self._turns.running and not self._shares.places:
            self._rest(self._host.clock.monotonic())
        if self.has_room or self.state is State.IDLE:
            self._owner.relieved(self)

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

    def _share_changed(self, kind: int, number: int) -> None:
        if kind == frames.SHARED:
            self._shares.there(number)
        elif self._shares.closed(number) and self._keeper is not None:
            self._keeper.freed(self, number)

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

    def _report(self, turn: Turn | None, lines: list[str]) -> None:
        now = self._host.clock.now()
        call = turn.job.call if turn is not None and not turn.overdue else None
        self._host.observer.output(self.target, self.id, call, [(now, line) for line in lines])

    def _program_ended(self, meta: dict[str, Any]) -> None:
        """What answers calls has ended, by itself: so has the instance."""
        self._program_exit = meta
        for number in meta.get("undelivered", ()):
            self._turns.never_began(number)
        self.end("exited" if "code" in meta else "signaled")

    # How it goes wrong.

    @property
    def _over(self) -> bool:
        return self.state is State.ENDING or self.state is State.TERMINATED

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
            self._condemn("restore-timeout" if self._restores else "init-timeout")
            return
        for number, turn in self._turns.due(self._loop.time()):
            if self.capacity == 1:
                self._condemn("timeout")
                return
            self._ran_over(number, turn)
        if not self._over and (due_at := self._turns.next_due_at()) is not None:
            self._alarm.by(due_at)

    @property
    def _restores(self) -> bool:
        """Whether its init was done in a template, so that all it has to do is to restore itself."""
        origin = self._ends.sandbox.origin if self._ends is not None else "process"
        return self.target.snap_start and origin in {"template", "spare"}

    def _ran_over(self, number: int, turn: Turn) -> None:
        """One of several calls took too long."""
        assert self._ends is not None
        if len(self._turns.running) == 1:
            self._drain()
        now = self._host.clock.monotonic()
        outcome = self._conclude(turn, now, b"", Failure("timeout"), self._peak.now(now))
        self._turns.give_up(turn)
        self._ends.send_cancel(number)
        self._give_up()
        self._owner.answered(self, turn.job, outcome)

    def _condemn(self, verdict: FailureKind) -> None:
        if not self._over:
            self._verdict = verdict
            self.end(verdict)

    def _begin_end(self) -> None:
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

    def _settle(self, exit_: Exit | None) -> None:
        """Settle the calls that were under way when the instance ended."""
        self._cancel_timers()
        self._drain()
        begun, waited = self._turns.close(dead=exit_ is not None)
        if self._first is not None:
            begun.append(self._first)
        self._first = None
        for turn in begun:
            if self._cut_off is not None:
                self._owner.lost(self, turn.job, self._cut_off)
            elif self._verdict == "init-timeout" and not turn.job.init_repeated:
                self._owner.repeat_init(self, turn.job)
            else:
                failure = failure_of(self._verdict, exit_, self._program_exit)
                peak = exit_.peak_memory_bytes if exit_ is not None else self._peak.last
                outcome = self._conclude(turn, self._host.clock.monotonic(), b"", failure, peak)
                self._owner.answered(self, turn.job, outcome)
        for turn in waited:
            if self._cut_off is not None:
                self._owner.lost(self, turn.job, self._cut_off)
            else:
                self._owner.unstarted(self, turn.job)

    # Accounts of a call.

    def _conclude(self, turn: Turn, now: float, payload: bytes, failure: Failure | None, peak: int) -> Outcome:
        """Report the end of the call, all of whose output has come."""
        if not turn.reported:  # it ended in init
            turn.init_ended(now)
            turn.reported = True
            self._host.observer.started(self.target, self.id, turn.job.call)
        if (rest := turn.rest()) is not None:
            self._report(turn, rest)
        outcome = turn.outcome(self.id, now, payload, failure, peak)
        self.calls += 1
        self._host.observer.finished(self.target, turn.job.call, outcome)
        return outcome

    def _drain(self) -> None:
        """What is in the pipe belongs to the calls that run now."""
        if self._ends is not None:
            self._ends.output.drain()

    def _cancel_timers(self) -> None:
        self._alarm.cancel()
        for timer in (self._giving_up, self._killing, self._silence):
            if timer is not None:
                timer.cancel()
        self._giving_up = self._killing = self._silence = None
