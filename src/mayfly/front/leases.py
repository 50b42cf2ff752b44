"""The leases of one front: which instance runs the next call, when another is asked for, and when one goes back.

A lease that nobody uses goes back after `leasing.IDLE_S`, one that is in use without end when its term is over, so that
instances find to where they are needed; those that the core calls back go at once, or after their call. One goes back
only in a later millisecond than the last line of its log, because lines are ordered by that.

A call that finds nothing leased has the core run it, unless the one before it was a moment ago. One that finds all
leases busy waits for whichever comes first: one of them, or another that the core lends. When the core is asked for
one, `policy.leasing` says. Where calls are short, they are sent to wait at an instance instead (`policy.queueing`).

Of instances that run several calls at a time, what is leased are places. As many are asked for as calls wait; those
that were not needed for some time go back.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Protocol

from mayfly.clock import Clock
from mayfly.engine.api import Call, FailureKind, Observer, Outcome, Target
from mayfly.engine.job import Job
from mayfly.engine.streamed import Streamed
from mayfly.errors import PlatformError
from mayfly.front import messages
from mayfly.front.borrowed import Borrowed
from mayfly.front.held import Held
from mayfly.front.link import Questions
from mayfly.policy import leasing
from mayfly.sandbox.api import Exit

_LOOK_EVERY_S = 0.05
_MILLISECOND_S = 0.001
_MOST_REMEMBERED = 4096  # targets

_log = logging.getLogger(__name__)


class NoLeaseError(PlatformError):
    """There is no instance for this front now; the core runs the call."""


class _NotBegunError(PlatformError):
    """The instance at which the call waited has ended."""


class Streams(Protocol):
    """Told which log stream an instance writes to, and when that is of no more use."""

    def adopt(self, instance: str, stream: str) -> None: ...

    def forget(self, instance: str) -> None: ...


class Leases:
    """`borrowed.Owner`, and what the engine's `invoke` is in a front."""

    def __init__(
        self,
        send: Callable[[object], None],
        questions: Questions,
        observer: Observer,
        streams: Streams,
        clock: Clock,
    ) -> None:
        self._send = send
        self._questions = questions
        self._observer = observer
        self._streams = streams
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._all: dict[str, Borrowed] = {}
        self._held: dict[str, Held] = {}
        self._latest: dict[str, float] = {}  # call of targets for which nothing is held
        self._burials: set[asyncio.Task[None]] = set()
        self._look: asyncio.TimerHandle | None = None
        self._draining = False
        self._calls = 0  # that ended since `take_count`
        self._none = asyncio.Event()  # set while there is no lease
        self._none.set()

    def take_count(self) -> int:
        """How many calls ended since this was asked last."""
        calls, self._calls = self._calls, 0
        return calls

    async def empty(self) -> None:
        """Return when no lease is left."""
        await self._none.wait()

    async def invoke(self, target: Target, call: Call, into: Streamed | None = None) -> Outcome:
        """Run a call on a leased instance; `NoLeaseError`. The core runs what is to be read as it comes."""
        if into is not None:
            raise NoLeaseError("the core streams")
        accepted_at = self._clock.monotonic()
        while True:
            job = Job(target, call, self._loop.create_future(), accepted_at)
            held = self._held.get(target.key)
            instance = held.take(accepted_at) if held is not None else None
            if instance is not None:
                instance.run(job)
            else:
                self._obtain(job)
            try:
                return await job.future
            except _NotBegunError:
                continue

    def drain(self) -> None:
        """Borrow nothing more; give everything back as soon as it is idle."""
        self._draining = True
        self.give_back(lambda target: True, busy=True)

    def abandon(self) -> None:
        """The core is gone."""
        if self._look is not None:
            self._look.cancel()
        for instance in self._all.values():
            instance.abandon()

    def give_back(self, covers: Callable[[Target], bool], *, busy: bool) -> float:
        """Give back the idle leases that `covers` says, and, if `busy`, the others after their call.

        In how many seconds the idle ones are back: 0 but for those that ran a call this very millisecond.
        """
        late = False
        for lease in [one for one in self._all.values() if covers(one.target)]:
            if lease.over:
                continue
            if lease.load:
                lease.to_return = lease.to_return or busy
                self._shrink(lease)
            elif not lease.opened:
                lease.to_return = late = True
            else:
                lease.to_return = True
                self._unlist(lease)
                self._return(lease)
                late = late or not lease.over
        return 2 * _MILLISECOND_S if late else 0.0

    # What the core answers.

    async def leased(self, asked: int, target: Target, answer: messages.Leased, descriptors: list[int]) -> None:
        """Take over what `AskLease` brought for so many calls."""
        held = self._held[target.key]
        held.answered(asked)
        if answer.lease is None:
            self._refuse(held.refused(self._clock.monotonic()))
            self._tidy(target.key)
        elif descriptors:
            await self._open(held, target, answer, descriptors)
        elif (lease := self._all.get(answer.lease)) is None or lease.over:
            self._refuse(held.disappoint())  # it went back while more places on it were on their way
        else:
            lease.places += answer.places
            held.offer(lease)
            if not lease.takes_calls:
                self._refuse(held.disappoint())
            else:
                self._ask(target, held)

    async def _open(self, held: Held, target: Target, answer: messages.Leased, descriptors: list[int]) -> None:
        assert answer.lease is not None
        self._streams.adopt(answer.instance, answer.stream)
        places = answer.places if held.shares else None
        lease = Borrowed(
            answer.lease,
            answer.instance,
            target,
            self._observer,
            self._clock,
            self,
            answer.quiet_since,
            answer.term_s,
            places,
        )
        self._all[answer.lease] = lease
        held.add(lease)
        self._none.clear()
        try:
            await lease.open(descriptors)
        except OSError:
            _log.exception("the leased instance %s could not be opened", answer.lease)
            self._refuse(held.disappoint())
            self.condemn(lease, "protocol")
            return
        self._arm()
        if not lease.shared and int(self._clock.now() * 1000) <= int(answer.quiet_since * 1000):
            await asyncio.sleep(_MILLISECOND_S)
        self.relieved(lease)
        if held.shares and lease.takes_calls:
            self._ask(target, held)  # for what came meanwhile
        else:
            self._refuse(held.disappoint())

    def died(self, lease: str, exit_: Exit, verdict: FailureKind | None) -> None:
        """The core says that a leased instance is dead."""
        instance = self._all.get(lease)
        if instance is None:
            self._send(messages.Buried(lease, 0))
            return
        self._unlist(instance)
        burial = self._loop.create_task(instance.died(exit_, verdict), name=f"bury {lease}")
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)

    # What instances tell (`borrowed.Owner`).

    def answered(self, instance: Borrowed, outcome: Outcome, took_us: int) -> None:
        self._calls += 1
        harmless = outcome.failure is None or outcome.failure.kind == "raised"
        # Behind the likes of one that is not, nobody is to wait.
        self._held[instance.target.key].ended(outcome.duration_ms / 1000, took_us if harmless else math.inf)

    def relieved(self, instance: Borrowed) -> None:
        if instance.over:
            return
        if instance.takes_calls and not self._draining and self._clock.monotonic() <= instance.due_at:
            self._held[instance.target.key].offer(instance)
        elif not instance.load:
            self._return(instance)
        else:
            instance.to_return = True

    def unstarted(self, instance: Borrowed, job: Job) -> None:
        job.fail(_NotBegunError("the instance ended before the call began"))

    def condemn(self, instance: Borrowed, verdict: FailureKind) -> None:
        self._unlist(instance)
        self._send(messages.Condemn(instance.id, verdict))

    def buried(self, instance: Borrowed) -> None:
        self._forget(instance)
        self._send(messages.Buried(instance.id, instance.calls))

    # Inner workings.

    def _obtain(self, job: Job) -> None:
        """Have a call wait for an instance that has room again, or another one that the core lends."""
        target = job.target
        held = self._held.get(target.key)
        if self._draining or (held is None and not self._worth_asking(target.key)):
            self._refuse([job])
            return
        if held is None:
            held = self._held[target.key] = Held(shares=target.concurrency > 1)
        held.wait(job)
        if patience_s := held.patience_s(self._clock.monotonic()):
            held.put_off()
            self._loop.call_later(patience_s, self._ask_later, target, held)
        else:
            self._ask(target, held)

    def _refuse(self, jobs: list[Job]) -> None:
        for job in jobs:
            job.fail(NoLeaseError("the core lends no instance now"))

    def _worth_asking(self, key: str) -> bool:
        now = self._clock.monotonic()
        since_s = now - self._latest.pop(key, -math.inf)
        self._latest[key] = now
        if len(self._latest) > _MOST_REMEMBERED:
            del self._latest[next(iter(self._latest))]
        return leasing.worth_asking(since_s)

    def _ask_later(self, target: Target, held: Held) -> None:
        held.time_to_ask()
        self._ask(target, held)
        self._tidy(target.key)

    def _ask(self, target: Target, held: Held) -> None:
        calls = held.asks()
        if not calls:
            return
        number, answer = self._questions.new()
        answer.add_done_callback(lambda done: self._answered(done, target, calls))
        self._send(messages.AskLease(number, target.key, calls if held.shares else 0))

    def _answered(self, done: "asyncio.Future[tuple[messages.Leased, list[int]]]", target: Target, asked: int) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        answer, descriptors = done.result()
        opening = self._loop.create_task(self.leased(asked, target, answer, descriptors))
        self._burials.add(opening)
        opening.add_done_callback(self._burials.discard)

    def _shrink(self, lease: Borrowed, most: int = 0) -> None:
        """Give back the places of a share where nothing runs, beyond `most`."""
        if lease.shared and lease.opened and (unused := lease.shrink(most)):
            self._send(messages.GiveBackPlaces(lease.id, unused))

    def _return(self, instance: Borrowed) -> None:
        """Give back an idle instance, in a later millisecond than its log's last line. Of a share others have the log,
        too."""
        if not instance.shared and int(self._clock.now() * 1000) <= int(instance.last_line_at * 1000):
            instance.to_return = True
            self._loop.call_later(_MILLISECOND_S, self._return_later, instance)
            return
        instance.give_up()
        self._forget(instance)  # its records are written before anybody else goes on with it
        self._send(messages.GiveBack(instance.id, instance.calls, instance.leaving))

    def _return_later(self, instance: Borrowed) -> None:
        if not instance.over:
            self._return(instance)

    def _forget(self, instance: Borrowed) -> None:
        self._all.pop(instance.id, None)
        if not self._all:
            self._none.set()
        if not any(other.instance == instance.instance for other in self._all.values()):
            self._streams.forget(instance.instance)
        if (held := self._held.get(instance.target.key)) is not None:
            held.remove(instance)
        self._tidy(instance.target.key)

    def _tidy(self, key: str) -> None:
        """Keep nothing about targets of which there is nothing."""
        held = self._held.get(key)
        if held is not None and held.unused:
            del self._held[key]

    def _unlist(self, instance: Borrowed) -> None:
        held = self._held.get(instance.target.key)
        if held is not None:
            held.unlist(instance)

    def _arm(self) -> None:
        if self._look is None:
            self._look = self._loop.call_later(_LOOK_EVERY_S, self._look_around)

    def _look_around(self) -> None:
        """Give back what nobody uses."""
        self._look = None
        before = self._clock.monotonic() - leasing.IDLE_S
        for held in list(self._held.values()):
            for instance in held.unused_since(before):
                self._return(instance)
            for lease in held.leases:
                self._shrink(lease, lease.most)
                lease.most = lease.load
        if self._all:
            self._arm()
