"""The instances of one target, and the calls that wait for one of them. State only: `engine` decides."""

from collections import deque
from collections.abc import Callable

from mayfly.engine.alarm import Alarm
from mayfly.engine.api import InstanceView, PoolView, Target
from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.engine.sharing import Sharing
from mayfly.engine.states import OVER, RESTING, State
from mayfly.policy import processors, queueing
from mayfly.policy.retry import backoff

_FIRST_RETRY_S = 0.1
_MOST_RETRY_S = 2.0


def _any_number() -> int | None:
    return None


class Pool:
    """One target's part of the engine. `idle` is a stack: the last one that fell idle is the first one used."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.instances: dict[str, Instance] = {}  # until they are gone
        self.idle: list[Instance] = []
        self.most: int | None = None  # that may live or start; None: any number
        self.more: Callable[[], int | None] = _any_number  # how many its fleet lets it have besides those there are
        self.waiting: deque[Job] = deque()
        self.wake: Alarm | None = None  # looks at `waiting` again
        self.sharing = Sharing(target.concurrency) if target.concurrency > 1 else None
        self.hot: Instance | None = None  # that was handed the latest call, where instances run one at a time
        self.pace = queueing.UNKNOWN
        self.grant = processors.NONE
        self.recalling = 0  # calls that wait for lent instances to come back
        self._failures = 0  # starts that failed one after another
        self._retry_at = 0.0

    @property
    def unused(self) -> bool:
        return not self.instances and not self.waits and not self.recalling

    @property
    def waits(self) -> int:
        """How many calls wait for an instance, or for room in one."""
        sharing = self.sharing
        return len(self.waiting) + (len(sharing.expecting) if sharing is not None else 0)

    @property
    def living(self) -> int:
        """How many instances live or start."""
        return sum(1 for each in self.instances.values() if each.state not in OVER)

    @property
    def full(self) -> bool:
        """Whether there may be no more instances."""
        return (self.most is not None and self.living >= self.most) or self.more() == 0

    def surplus(self, kept: Callable[[Instance], bool]) -> list[Instance]:
        """The instances that are too many: idle ones, used longest ago, then others; never those that are `kept`."""
        if self.most is None:
            return []
        others = [each for each in self.instances.values() if each not in self.idle and each.state not in OVER]
        leaving_first = sorted(others, key=lambda each: each.state is not State.DRAINING)
        ordinary = [*self.idle, *(each for each in leaving_first if not kept(each))]
        return ordinary[: max(0, self.living - self.most)]

    def next_job(self) -> Job | None:
        """Who has waited longest, of those who wait for room first."""
        if self.sharing is not None and self.sharing.expecting:
            return self.sharing.expecting.popleft()
        return self.waiting.popleft() if self.waiting else None

    def withdraw(self, job: Job) -> bool:
        """Let it wait no longer; False if it does not."""
        for queue in (self.waiting, self.sharing.expecting if self.sharing is not None else ()):
            if job in queue and isinstance(queue, deque):
                queue.remove(job)
                return True
        return False

    def empty_queue(self) -> list[Job]:
        """Everything that waits, in order; it waits no longer."""
        jobs = []
        while (job := self.next_job()) is not None:
            jobs.append(job)
        return jobs

    def start_failed(self, now: float) -> float:
        """Note that an instance could not be started; how long none may be started from now on."""
        self._failures += 1
        delay_s = backoff(self._failures, _FIRST_RETRY_S, _MOST_RETRY_S)
        self._retry_at = now + delay_s
        return delay_s

    def start_succeeded(self) -> bool:
        """Note that one could; whether that ends a time of failures."""
        recovered, self._failures = self._failures > 0, 0
        return recovered

    def start_after_s(self, now: float) -> float:
        """How long to wait before starting an instance: 0 unless starting failed last time.

        After a failure one instance is tried at a time; while that one starts, the others wait for what becomes of it.
        """
        if not self._failures:
            return 0.0
        if any(instance.state is State.PROVISIONING for instance in self.instances.values()):
            return _MOST_RETRY_S
        return max(0.0, self._retry_at - now)

    def view(self, now: float) -> PoolView:
        return PoolView(
            self.target.shared_key,
            self.target.function,
            self.waits,
            tuple(
                InstanceView(
                    id=instance.id,
                    state=instance.state.value,
                    age_s=now - instance.created_at,
                    idle_s=now - instance.idle_since if instance.state in RESTING else None,
                    calls=instance.calls,
                    memory_mb=instance.target.sandbox.memory_mb,
                )
                for instance in self.instances.values()
            ),
            self.target.tenant,
        )
