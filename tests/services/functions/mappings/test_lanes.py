"""A lane under every sequence of results, reads and crashes: nothing is lost, and nothing overtakes."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy import stream_batches
from mayfly.policy.stream_batches import Rules
from mayfly.services.functions.mappings.checkpoints import Checkpoint
from mayfly.services.functions.mappings.lanes import Formed, Lane, Read, Sizes, lane_of
from mayfly.services.ports import ShardRecord

SIZES = Sizes(4, 0.0, 0)


def read(place: int) -> Read:
    return Read(ShardRecord(str(place), "k", 0.0, b""), place, str(place), b"{}")


@dataclass
class Reader:
    """A shard of `count` records that is read `page` at a time, and a process that may die."""

    count: int
    page: int
    rules: Rules
    kept: Checkpoint = field(default_factory=lambda: Checkpoint(1))
    done: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    calls: int = 0

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A new process, from what is kept."""
        self.lane = Lane("s", 0, 1, self.kept, SIZES)
        self.after = self.lane.done

    def fetch(self) -> None:
        """Read on."""
        until = min(self.count, self.after + self.page)
        for place in range(self.after + 1, until + 1):
            self.lane.take(read(place), 0.0)
        self.after = until
        self.lane.passed(until)
        self.lane.complete = until == self.count

    def call(self, failing: int | None) -> None:
        """One call, at whose `failing`-th record the function fails, and what is kept of it."""
        formed = self.lane.form(0.0, 0.0, self.after)
        if not isinstance(formed, Formed):
            return
        self.calls += 1
        assert formed.records
        assert self.lane.form(0.0, 0.0, self.after) == float("inf"), "one batch of a lane at a time"
        failed_at = None if failing is None else min(failing, len(formed.records) - 1)
        found = stream_batches.after(len(formed.records), failed_at, formed.attempts, self.rules)
        self.kept = self.lane.after(found, self.lane.window)
        self.lane.apply(found, 0.0, self.lane.window)
        assert self.lane.checkpoint() == self.kept
        places = [each.place for each in formed.records]
        self.done += places[: found.done]
        if found.dropped is not None:
            self.dropped += places[found.dropped.start : found.dropped.end]


@given(
    count=st.integers(1, 25),
    page=st.integers(1, 10),
    bisects=st.booleans(),
    retries=st.integers(0, 3),
    steps=st.lists(st.tuples(st.sampled_from(["fetch", "call", "crash"]), st.none() | st.integers(0, 3)), max_size=60),
)
def test_every_record_is_done_or_dropped_once_in_order_whatever_happens(
    count: int, page: int, bisects: bool, retries: int, steps: list[tuple[str, int | None]]
) -> None:
    reader = Reader(count, page, Rules(bisects, retries))
    for step, failing in steps:
        if step == "fetch":
            reader.fetch()
        elif step == "call":
            reader.call(failing)
        else:
            reader.begin()
    for _ in range(20 * count + 20):  # from here on all goes well
        reader.fetch()
        reader.call(None)
    assert sorted(reader.done + reader.dropped) == list(range(1, count + 1))
    assert reader.done == sorted(reader.done)
    assert reader.dropped == sorted(reader.dropped)
    assert reader.lane.finished
    assert reader.kept.done == str(count)


@given(count=st.integers(1, 12), retries=st.integers(0, 3), crash=st.booleans())
def test_attempts_are_counted_over_crashes(count: int, retries: int, crash: bool) -> None:
    reader = Reader(count, count, Rules(max_retries=retries))
    while len(reader.dropped) < count:
        reader.fetch()
        reader.call(0)
        if crash:
            reader.begin()
    assert reader.calls == -(-count // SIZES.most) * (retries + 1)


@given(st.text(), st.integers(1, 10))
def test_a_key_has_one_lane(key: str, factor: int) -> None:
    assert lane_of(key, factor) == lane_of(key, factor)
    assert 0 <= lane_of(key, factor) < factor
