"""What one instance is: its books, what can be asked of it at any time, and what it tells observers.

The lowest of the layers of which `instance.Instance` is made; each knows those below it:

    body ── ending ── running ── lendable ── instance
"""

import asyncio
from typing import Any, Self

from mayfly.engine.api import Failure, FailureKind, Outcome, Phase, Target
from mayfly.engine.ends import Ends
from mayfly.engine.job import Job
from mayfly.engine.lines import LineSplitter
from mayfly.engine.owner import Host, Keeper, Owner
from mayfly.engine.peak import Peak
from mayfly.engine.shares import Shares
from mayfly.engine.starts import Account
from mayfly.engine.states import Event, Lifecycle, State
from mayfly.engine.turn import Turn
from mayfly.engine.turns import Turns
from mayfly.errors import PlatformError
from mayfly.policy import freezing
from mayfly.sandbox import frames

# A share of processors is kept over 100 ms (`sandbox.agent.cgroups`), so it may come into force that much later.
LIMITED_AFTER_S = 0.005


class Body:
    """The books of one instance."""

    def __init__(self, instance_id: str, target: Target, job: Job | None, host: Host, owner: "Owner[Self]") -> None:
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
        self._sent = 0  # the number of the first call, where the runtime gets that before it is ready
        self._began_unheard = False  # that call had begun when its fate was sealed
        self._init_since: float | None = None  # as long as init runs, or nobody was told how it ended
        self._shares = Shares()
        self._begun_at = 0.0  # the latest turn
        self._quiet = False  # its last call printed nothing that was not read
        self.took_us = 0  # the latest call that was answered, by the word of the runtime; 0: it did not say
        self._ends: Ends | None = None
        self._early: list[frames.Frame | list[str]] = []  # what was said, or printed, before word of the sandbox came
        self._peak = Peak(None)
        self._keeper: Keeper[Self] | None = None  # while it is lent
        self._between = LineSplitter()  # what the runtime says that no call printed
        self._leaving = ""  # why it takes no further call, once it does not
        self._verdict: FailureKind | None = None
        self._cut_off: PlatformError | None = None
        self._program_exit: dict[str, Any] | None = None  # how the program ended, where that is why the instance did
        self._reason = ""
        self._cpus = target.sandbox.cpus  # that it is to have
        self._limited_cpus = self._cpus  # that it may use
        self._limiting: asyncio.TimerHandle | None = None

    def allow(self, cpus: float) -> None:
        """Let it use so many processors, in a moment: what says so wakes a process, which would take a processor from
        the first call, and most of what starts for a short call ends, or is told otherwise, before it would matter."""
        self._cpus = cpus
        if cpus != self._limited_cpus and self._limiting is None:
            self._limiting = self._loop.call_later(LIMITED_AFTER_S, self._limit)

    def _limit(self) -> None:
        self._limiting = None
        if self._cpus != self._limited_cpus and self._ends is not None and not self._over:
            self._limited_cpus = self._cpus
            self._ends.sandbox.limit_cpus(self._cpus)

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

    @property
    def verdict(self) -> FailureKind | None:
        """What its calls fail of, if that is why it ended."""
        return self._verdict

    @property
    def _over(self) -> bool:
        return self.state is State.ENDING or self.state is State.TERMINATED

    @property
    def _restores(self) -> bool:
        """Whether its init was done in a template, so that all it has to do is to restore itself."""
        origin = self._ends.sandbox.origin if self._ends is not None else "process"
        return self.target.snap_start and origin in {"template", "spare"}

    def freeze(self: Self) -> bool:
        """Stop all processes of this idle instance until its next call; False where that cannot be done."""
        assert self._ends is not None
        if not self.target.freezes or not self._ends.sandbox.freeze():
            return False
        self._lifecycle.feed(Event.FROZE)
        now = self._frozen_at = self._host.clock.monotonic()
        self._owner.frozen(self, freezing.held_mb(self.target.sandbox.memory_mb, self._peak.now(now)))
        return True

    def _thaw(self: Self, ends: Ends) -> None:
        self._owner.thaws(self)
        ends.sandbox.thaw()
        self.grace_s = freezing.next_grace_s(self.grace_s, self._host.clock.monotonic() - self._frozen_at)

    # Accounts of calls.

    def _report(self, turn: Turn | None, lines: list[str]) -> None:
        now = self._host.clock.now()
        call = turn.job.call if turn is not None and not turn.overdue else None
        self._host.observer.output(self.target, self.id, call, [(now, line) for line in lines])

    def _tell_of_init(self, failure: Failure | None, phase: Phase = "init") -> None:
        """Init has ended, and no call of this instance tells how."""
        since, self._init_since = self._init_since, None
        if since is not None and not self._restores:
            took_ms = (self._host.clock.monotonic() - since) * 1000
            self._host.observer.initialized(self.target, self.id, took_ms, failure, restored=False, phase=phase)

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
