"""One call's turn on one instance: its times, and the outcome that they add up to."""

import math

from mayfly.engine.api import Failure, Outcome, Start
from mayfly.engine.job import Job
from mayfly.engine.lines import LineSplitter
from mayfly.engine.parts import Parts


class Turn:
    """From the moment at which an instance is given a call. All times are monotonic seconds.

    On a cold start the turn begins with init. When init is repeated, because it failed the first time, it is part of
    the call's own time, as AWS does it: such a turn has a duration and no init.
    """

    __slots__ = (
        "_began_at",
        "_cold",
        "_init_ms",
        "_lines",
        "_queued_ms",
        "due_at",
        "job",
        "least_ms",
        "overdue",
        "parts",
        "reported",
        "start",
    )

    def __init__(self, job: Job, now: float, *, cold: bool) -> None:
        self.job = job
        self.start: Start | None = None
        self.reported = False  # whether the observer was told that the call started
        self.due_at = math.inf  # by the loop's time
        self.overdue = False  # failed for its time, while its code runs on
        self.least_ms = 0.0  # that it took, by the word of the runtime
        self.parts: Parts | None = None  # of its result, once the first is announced
        self._lines: LineSplitter | None = None
        self._cold = cold
        self._queued_ms = (now - job.accepted_at) * 1000
        self._init_ms: float | None = None
        self._began_at = now

    def begins(self, now: float) -> None:
        """It has waited at its instance until now."""
        self._queued_ms = (now - self.job.accepted_at) * 1000
        self._began_at = now

    def init_ended(self, now: float) -> float:
        """Init is over, well or not; how many seconds are left of the function's timeout."""
        spent_s = now - self._began_at
        if self.job.init_repeated:
            return self.job.target.timeout_s - spent_s
        self._init_ms = spent_s * 1000
        self._began_at = now
        return self.job.target.timeout_s

    def lines(self) -> LineSplitter:
        """Cuts what the runtime says that this call printed."""
        if self._lines is None:
            self._lines = LineSplitter()
        return self._lines

    def rest(self) -> list[str] | None:
        """A last line that did not end."""
        return self._lines.flush() or None if self._lines is not None else None

    def outcome(self, instance: str, now: float, payload: bytes, failure: Failure | None, peak: int) -> Outcome:
        """What the call came to."""
        duration_ms = max((now - self._began_at) * 1000, self.least_ms)
        if failure is not None and failure.kind in {"timeout", "init-timeout"}:
            duration_ms = self.job.target.timeout_s * 1000  # not the instant at which the timer was served
        return Outcome(
            payload=payload,
            failure=failure,
            instance=instance,
            cold=self._cold,
            duration_ms=duration_ms,
            init_ms=self._init_ms,
            queued_ms=self._queued_ms,
            peak_memory_bytes=peak,
            start=self.start,
            content_type=self.parts.content_type if self.parts is not None else "",
        )
