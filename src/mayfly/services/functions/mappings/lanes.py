"""One lane of a shard: records that are done one batch after the other. In memory, without I/O.

A shard has as many lanes as the mapping's parallelization factor, and the records of a partition key are all of one of
them. A lane holds what was read and is not done: parts, which come again in calls of their own, and behind them what
was never called with.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from mayfly.policy import stream_batches
from mayfly.policy.stream_batches import Next
from mayfly.services.functions.mappings.checkpoints import Checkpoint, Part, Window
from mayfly.services.functions.mappings.drivers import ENVELOPE_BYTES, MAX_BATCH_BYTES
from mayfly.services.ports import ShardRecord


class Read(NamedTuple):
    """A record that was read and passed the filter."""

    record: ShardRecord
    place: int  # its sequence number
    id: str
    encoded: bytes


class Formed(NamedTuple):
    """What the next call is about."""

    lane: "Lane"
    records: Sequence[Read]
    attempts: int
    final: bool = False  # the last call of a tumbling window


@dataclass(frozen=True)
class Sizes:
    """Of batches."""

    most: int
    gather_s: float
    tumbling_s: int


@dataclass
class _Retry:
    """A part, as it fills up while the shard is read."""

    last: int
    attempts: int
    records: list[Read] = field(default_factory=list)
    due_at: float = 0.0


class Lane:
    """See the module. Times are the clock's monotonic ones, where nothing else is said."""

    def __init__(self, shard: str, no: int, epoch: int, checkpoint: Checkpoint, sizes: Sizes) -> None:
        self.shard = shard
        self.no = no
        self.epoch = epoch
        self.in_flight = False
        self.complete = False  # nothing more will be read
        self.done = int(checkpoint.done)
        self.window = checkpoint.window
        self.final_attempts = 0
        self.final_due_at = 0.0
        self._factor = checkpoint.factor
        self._sizes = sizes
        self._parts: deque[_Retry] = deque(_Retry(int(part.last), part.attempts) for part in checkpoint.parts)
        self._fresh: deque[Read] = deque()
        self._since = math.inf  # when the first of them came

    def take(self, read: Read, now: float) -> None:
        """Add what was read; what is done already is left out."""
        if read.place <= self.done:
            return
        for part in self._parts:
            if read.place <= part.last:
                part.records.append(read)
                return
        if not self._fresh:
            self._since = now
        self._fresh.append(read)

    def passed(self, place: int) -> None:
        """The shard was read up to `place`: parts before it are as full as they get."""
        while self._parts and not self._parts[0].records and self._parts[0].last <= place:
            self._parts.popleft()
        if self.idle:
            self.done = max(self.done, place)

    @property
    def held(self) -> int:
        """How many records it holds."""
        return len(self._fresh) + sum(len(part.records) for part in self._parts)

    @property
    def idle(self) -> bool:
        return not self.in_flight and not self._fresh and not self._parts

    @property
    def finished(self) -> bool:
        """Whether nothing will ever come of it."""
        return self.complete and self.idle and self.window is None

    def form(self, now: float, wall: float, read_up_to: int) -> Formed | float:
        """The next batch; or when to look again."""
        if self.in_flight:
            return math.inf
        self.passed(read_up_to)
        if self._parts:
            part = self._parts[0]
            if part.last > read_up_to and not self.complete:
                return math.inf  # it is being read
            if part.due_at > now:
                return part.due_at
            return self._formed(part.records, part.attempts)
        if self._sizes.tumbling_s and (closing := self._closing(now, wall)) is not None:
            return closing
        if not self._fresh:
            return math.inf
        records, full = self._front()
        if not full and not self.complete and now < self._since + self._sizes.gather_s:
            return self._since + self._sizes.gather_s
        self._parts.append(_Retry(records[-1].place, 0, records))
        for _ in records:
            self._fresh.popleft()
        self._since = now if self._fresh else math.inf
        return self._formed(records, 0)

    def after(self, found: Next, window: Window | None) -> Checkpoint:
        """How far the lane is if its first part came to that."""
        records = self._parts[0].records
        gone = found.done + (found.dropped.end - found.dropped.start if found.dropped is not None else 0)
        again = [Part(str(records[each.end - 1].place), each.attempts) for each in found.again]
        others = [Part(str(part.last), part.attempts) for part in list(self._parts)[1:]]
        done = records[gone - 1].place if gone else self.done
        return Checkpoint(self._factor, str(done), parts=(*again, *others), window=window)

    def apply(self, found: Next, due_at: float, window: Window | None) -> None:
        """Have come to that."""
        part = self._parts.popleft()
        for each in reversed(found.again):
            records = part.records[each.start : each.end]
            self._parts.appendleft(_Retry(records[-1].place, each.attempts, records, due_at))
        gone = len(part.records) - sum(each.end - each.start for each in found.again)
        if gone:
            self.done = part.records[gone - 1].place
        self.window = window
        self.in_flight = False

    def checkpoint(self, *, ended: bool = False) -> Checkpoint:
        """How far it is."""
        parts = tuple(Part(str(part.last), part.attempts) for part in self._parts)
        return Checkpoint(self._factor, str(self.done), ended, parts, self.window)

    def put_back(self, due_at: float) -> None:
        """What is in flight was not called with."""
        self.in_flight = False
        if self._parts:
            self._parts[0].due_at = due_at
        else:
            self.final_due_at = due_at

    def _formed(self, records: Sequence[Read], attempts: int) -> Formed:
        self.in_flight = True
        if self._sizes.tumbling_s and self.window is None:
            self.window = Window(stream_batches.window_of(records[0].record.arrived_at, self._sizes.tumbling_s))
        return Formed(self, records, attempts)

    def _front(self) -> tuple[list[Read], bool]:
        """As many fresh records as go into one batch, and whether no more would."""
        found: list[Read] = []
        room = MAX_BATCH_BYTES - ENVELOPE_BYTES - (len(self.window.state) if self.window is not None else 0)
        ends = self._window_ends(self._fresh[0])
        for read in self._fresh:
            room -= len(read.encoded) + 1
            if found and (room < 0 or (ends is not None and read.record.arrived_at >= ends)):
                return found, True
            found.append(read)
            if len(found) == self._sizes.most:
                return found, True
        return found, False

    def _window_ends(self, first: Read) -> float | None:
        if not self._sizes.tumbling_s:
            return None
        if self.window is not None:
            return self.window.began_at + self._sizes.tumbling_s
        return stream_batches.window_of(first.record.arrived_at, self._sizes.tumbling_s) + self._sizes.tumbling_s

    def _closing(self, now: float, wall: float) -> Formed | float | None:
        """The last call of a window whose records are all done; when to look again while it is open and nothing else
        is to be done; None: there is something else to be done."""
        if self.window is None:
            return None
        ends = self.window.began_at + self._sizes.tumbling_s
        beyond = bool(self._fresh) and self._fresh[0].record.arrived_at >= ends
        if self.window.early or beyond or (not self._fresh and (self.complete or wall >= ends)):
            if self.final_due_at > now:
                return self.final_due_at
            self.in_flight = True
            return Formed(self, (), self.final_attempts, final=True)
        return None if self._fresh else now + (ends - wall)


def lane_of(partition_key: str, factor: int) -> int:
    """The lane that a key's records go to: the same in every process."""
    return crc32(partition_key.encode()) % factor
