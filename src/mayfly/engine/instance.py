"""One instance: drives one sandbox through the life that `states` describes.

It runs one call at a time, or up to `capacity` where the target allows several and the runtime can. It is busy as long
as it runs any, or places of it are lent (`shares`).

`live` is the whole life and the instance's only task; calls are handed over by `run` and answered from the callbacks
of its control socket, so a warm call needs no task of its own. The engine is told what happens through `Owner`; it
alone decides which call runs where.

Its parts are layers, from `body` up. Here are its beginning and end, and what its runtime says.

The first call is sent along with the code to load, where the runtime can tell what init printed from what the handler
printed (`frames.AHEAD`), and otherwise when it is ready. It begins with READY all the same: its time, its log and its
account. (Between the two the runtime would wait for 0.2 to 0.4 ms, while the server wakes and finds its caches cold.)
"""

import logging
from typing import Any, Self

from mayfly.engine.api import Failure, FailureKind
from mayfly.engine.contracts import converse, hears_ahead
from mayfly.engine.conversation import call_frame, init_frame
from mayfly.engine.ending import DEATH_GRACE_S
from mayfly.engine.ends import Ends
from mayfly.engine.lendable import Lendable
from mayfly.engine.provision import provision
from mayfly.engine.starts import capacity_of, takes_shares
from mayfly.engine.states import Event, State
from mayfly.engine.templates import Started
from mayfly.engine.turn import Turn
from mayfly.errors import MayflyError, PlatformError
from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit

# How long init may take, at least, in an instance that no call waits for, as on AWS.
AHEAD_INIT_TIMEOUT_S = 130.0
# How many bytes of a first call a spare's runtime gets along with what to load: a socket holds them.
_SMALL = 64 << 10

_log = logging.getLogger(__name__)


class Instance(Lendable):
    """One instance. Made for a first call, which it is handed as soon as it runs, or ahead of all (`job` None)."""

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
        first = self._first
        greet = self._greet if self.target.contract == "frames" else None
        if first is not None and not first.job.init_repeated and hears_ahead(self.target):
            self._sent = self._turns.reserve()
        started, environment = await provision(
            self._host.templates, self.target, self.id, greet, awaited=first is not None, call=self._first_frame
        )
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
            self._begin_init(ends, environment, started)
        else:  # it was ended meanwhile
            sandbox.kill()
        return ends

    def _first_frame(self) -> bytes:
        """Its first call, for a runtime that has not loaded the code yet; empty where it gets that later."""
        if not self._sent or self._first is None or len(self._first.job.call.payload) > _SMALL:
            return b""
        return call_frame(self._sent, self._first.job.call, int(self.target.timeout_s * 1000), ahead=True)

    def _greet(self, environment: dict[str, str]) -> bytes:
        return init_frame(self.target, environment, self._task_root)

    @property
    def _task_root(self) -> str:
        return str(self.target.sandbox.code) if self._host.factory.level == "process" else "/var/task"

    def _begin_init(self: Self, ends: Ends, environment: dict[str, str], started: Started) -> None:
        job = self._first.job if self._first is not None else None
        self._lifecycle.feed(Event.PROVISIONED)
        self._init_since = self._host.clock.monotonic()
        self._owner.provisioned(self)
        if job is None:
            limit_s = max(AHEAD_INIT_TIMEOUT_S, self.target.timeout_s)
        else:
            self._first = Turn(job, self._host.clock.monotonic(), cold=True)
            limit_s = self.target.timeout_s if job.init_repeated else self._host.init_timeout_s
        if not started.greeted:
            ends.send_init(self.target, environment, self._task_root)
        if job is not None and self._sent and not started.called:
            ends.send_invoke(self._sent, job.call, int(self.target.timeout_s * 1000), soon=False, ahead=True)
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
        if not self._over:
            ends.sent_ahead(waiting=self.state is State.INITIALIZING and self._sent > 0)
            ends.listen()

    async def _death(self: Self, ends: Ends) -> Exit:
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

    async def _dispose(self: Self) -> None:
        """Give back everything, and say so."""
        try:
            if self._ends is not None:
                self._ends.close()
                await self._ends.sandbox.discard()
        finally:
            self._lifecycle.feed(Event.GONE)
            self._owner.gone(self)
            self._host.observer.terminated(self.target, self.id, self._reason)

    def _fail_to_start(self: Self, error: Exception) -> None:
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
            self._began_unheard |= kind == frames.READY and self._sent > 0
            return  # its fate is sealed; what it says now comes too late
        if state is State.PROVISIONING:
            self._early.append(frame)
            return
        if kind in (frames.SHARED, frames.UNSHARED) and self.capacity > 1 and state is not State.INITIALIZING:
            self._share_changed(kind, frame.number)
        elif kind == frames.READY and state is State.INITIALIZING:
            self._ready(frame)
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

    def _ready(self: Self, frame: frames.Frame) -> None:
        ends, meta = self._ends, frame.meta
        assert ends is not None
        self._init_printed(ends, quiet=bool(frame.flags & frames.QUIET))
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
            self._host.observer.initialized(self.target, self.id, start.total_ms, None, restored=True)
        turn = self._first
        if turn is None:
            self._tell_of_init(None)
            self._idle_from_the_start(now)
            return
        self._init_since = None
        turn.start = start
        self._lifecycle.feed(Event.CALLED)
        self._first = None
        self._go(turn, now, turn.init_ended(now), self._sent)
        if self._leaving:
            self._lifecycle.feed(Event.RETIRED)
        elif self.target.concurrency > 1:
            self._owner.relieved(self)

    def _init_printed(self, ends: Ends, *, quiet: bool) -> None:
        """Everything that init printed is in the pipe, or was read; a call that came with it begins when it was."""
        ends.sent_ahead(waiting=False)
        if quiet:
            ends.output.flush()
            return
        ends.output.drain()
        if self._sent:
            ends.send_continue()

    def _idle_from_the_start(self: Self, now: float) -> None:
        """It was made ahead of calls, and is ready for one."""
        self.idle_since = now
        if self._leaving:
            self.end(self._leaving)
        else:
            self._owner.initialized(self)

    def _init_failed(self: Self, failure: Failure) -> None:
        turn = self._first
        if turn is None:
            self._drain()
            self._tell_of_init(failure)
            self.end("init failed")
            return
        self._reason = "init failed"
        self._lifecycle.feed(Event.ENDED)
        self._drain()
        self._first = None
        if self._may_repeat(turn, failure):
            self._tell_of_init(failure)
            self._begin_end()
            self._owner.repeat_init(self, turn.job)
            return
        now = self._host.clock.monotonic()
        outcome = self._init_ended_call(turn, now, failure, self._peak.now(now))
        self._begin_end()
        self._owner.answered(self, turn.job, outcome)

    def _program_ended(self, meta: dict[str, Any]) -> None:
        """What answers calls has ended, by itself: so has the instance."""
        self._program_exit = meta
        for number in meta.get("undelivered", ()):
            self._turns.never_began(number)
        self.end("exited" if "code" in meta else "signaled")
