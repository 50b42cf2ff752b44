"""The leases of one target in a front: which has room, which calls wait for one, how many questions are under way.

Every call that waits is covered: by a question whose answer is to come, or by one that is put off. Made and kept by
`leases`; sends nothing itself.
"""

import collections
import math

from mayfly.engine.job import Job
from mayfly.front.borrowed import Borrowed
from mayfly.policy import leasing, packing, queueing


class Held:
    """See the module. `shares`: what is leased are places on instances that run several calls at a time."""

    def __init__(self, *, shares: bool = False) -> None:
        self.shares = shares
        self.leases: list[Borrowed] = []
        self.idle: list[Borrowed] = []  # those of whole instances that run nothing
        self._hot: Borrowed | None = None  # that was handed the latest call, where each runs one at a time
        self._pace = queueing.UNKNOWN
        self._waiting: collections.deque[Job] = collections.deque()
        self._asked = 0  # calls for which answers are to come
        self._put_off = 0  # questions
        self._took_s = math.inf  # a call, on average
        self._refused_at = -math.inf

    @property
    def unused(self) -> bool:
        """Whether nobody needs this any more."""
        return not (self.leases or self._waiting or self._asked or self._put_off)

    # Leases.

    def add(self, instance: Borrowed) -> None:
        """One more, which `offer` may be called with."""
        self.leases.append(instance)

    def remove(self, instance: Borrowed) -> None:
        """It is no more."""
        self.unlist(instance)
        if instance in self.leases:
            self.leases.remove(instance)
        if self._hot is instance:
            self._hot = None

    def take(self, now: float) -> Borrowed | None:
        """Where the next call goes: to one that has room, or to wait at one that runs short calls."""
        if self.shares:
            return self._fullest()
        hot = self._hot
        if hot is not None and hot.queues and now <= hot.due_at and self._goes_ahead(hot, now):
            return hot
        if not self.idle:
            return None
        self._hot = self.idle.pop()
        return self._hot

    def _goes_ahead(self, hot: Borrowed, now: float) -> bool:
        return queueing.goes_ahead(self._pace, hot.load, hot.busy_s(now), idle=bool(self.idle))

    def _fullest(self) -> Borrowed | None:
        open_ = [lease for lease in self.leases if lease.has_room]
        if len(open_) <= 1:
            return open_[0] if open_ else None
        index = packing.fullest((lease.load, lease.places) for lease in open_)
        return open_[index] if index is not None else None

    def offer(self, instance: Borrowed) -> None:
        """A lease has room: it is for the calls that have waited longest, if there are any."""
        while self._waiting and instance.has_room:
            job = self._waiting.popleft()
            if not job.future.done():
                self._hot = instance
                instance.run(job)
        if not self.shares and not instance.load:
            self.idle.append(instance)

    def unlist(self, instance: Borrowed) -> None:
        """It is idle no more, if it was."""
        if instance in self.idle:
            self.idle.remove(instance)

    def unused_since(self, before: float) -> list[Borrowed]:
        """Those that are idle since before that time, and are not to be taken any more."""
        found = [lease for lease in self.leases if lease.takes_calls and not lease.load and lease.idle_since < before]
        for lease in found:
            self.unlist(lease)
        return found

    # Calls.

    def ended(self, took_s: float, took_us: float) -> None:
        """A call ended; `took_us` by the word of the runtime, 0 where it did not say."""
        self._took_s = leasing.average_s(self._took_s, took_s)
        if took_us and not self.shares:
            self._pace = queueing.noted(self._pace, took_us)

    def wait(self, job: Job) -> None:
        """A call waits for an instance, or for word that there is none."""
        self._waiting.append(job)

    # Questions.

    def patience_s(self, now: float) -> float:
        """How long the call that waits last may wait before the core is asked for it."""
        busy = sum(lease.load for lease in self.leases)
        return leasing.patience_s(
            took_s=self._took_s, waiting=len(self._waiting), busy=busy, refused_s=now - self._refused_at
        )

    def put_off(self) -> None:
        """The question for the last call comes later."""
        self._put_off += 1

    def time_to_ask(self) -> None:
        """A question was put off until now."""
        self._put_off -= 1

    def asks(self) -> int:
        """For how many calls the core is to be asked now: those that no question covers.

        One at a time for whole instances. Of places, those that wait when the answer comes are asked for then.
        """
        uncovered = len(self._waiting) - self._asked - self._put_off
        if uncovered <= 0 or (self.shares and self._asked):
            return 0
        asked = uncovered if self.shares else 1
        self._asked += asked
        return asked

    def answered(self, asked: int) -> None:
        """An answer has come; `offer` or `disappoint` follows."""
        self._asked -= asked

    def refused(self, now: float) -> list[Job]:
        """The core had none: see `disappoint`."""
        self._refused_at = now
        return self.disappoint()

    def disappoint(self) -> list[Job]:
        """The calls that are not covered any more: they wait no longer, there is none for them."""
        jobs = []
        while len(self._waiting) > self._asked + self._put_off:
            jobs.append(self._waiting.popleft())
        return [job for job in jobs if not job.future.done()]
