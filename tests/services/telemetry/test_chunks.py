"""Chunks of log events against a naive list of events."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.telemetry import chunks
from mayfly.services.telemetry.model import END, START, Event, Position
from mayfly.store.api import NO_PARAMS, Params, Reader, Row

MINUTE = chunks.MAX_SPAN_MS
TIMES = st.integers(0, 4 * MINUTE)
BATCHES = st.lists(st.lists(TIMES, min_size=1, max_size=6), max_size=8)


class Rows:
    """A reader that answers the statements of `chunks` from a list, as their text says."""

    def __init__(self, batches: list[list[int]]) -> None:
        self.rows: list[Row] = []
        self.events: list[Event] = []
        for batch in batches:
            for chunk in chunks.cut([(time, f"{time}") for time in sorted(batch)]):
                chunk_id = len(self.rows) + 1
                self.rows.append((chunk_id, "s", chunk.first_ms, chunk.last_ms, 0, chunk.events))
        for row in self.rows:
            self.events += chunks._events(row)
        self.events.sort(key=lambda event: (event.timestamp_ms, event.id))

    def all(self, sql: str, params: Params = NO_PARAMS) -> list[Row]:
        column = 3 if "DESC" in sql else 2
        after = (params["after_ms"], params["after_id"])
        rows = [row for row in self.rows if row[3] >= params["low"] and row[2] < params["high"]]
        if "DESC" in sql:
            rows = [row for row in rows if row[3] < params["from"] and (row[3], row[0]) < after]
        else:
            rows = [row for row in rows if row[2] >= params["from"] and (row[2], row[0]) > after]
        rows.sort(key=lambda row: (row[column], row[0]), reverse="DESC" in sql)
        return rows[: params["limit"]]

    def one(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        raise NotImplementedError(sql)


def reader(rows: Rows) -> Reader:
    return cast(Reader, rows)


@given(BATCHES, TIMES, TIMES)
def test_reading_forward_gives_every_event_of_the_span_in_order(batches: list[list[int]], a: int, b: int) -> None:
    rows, (start, end) = Rows(batches), sorted((a, b))
    found = list(chunks.stream_forward(reader(rows), 1, start, end, START))
    assert found == [event for event in rows.events if start <= event.timestamp_ms < end]


@given(BATCHES, TIMES, TIMES)
def test_reading_backward_gives_the_same_in_reverse(batches: list[list[int]], a: int, b: int) -> None:
    rows, (start, end) = Rows(batches), sorted((a, b))
    found = list(chunks.stream_backward(reader(rows), 1, start, end, END))
    assert found == [event for event in reversed(rows.events) if start <= event.timestamp_ms < end]


@given(BATCHES, st.data())
def test_reading_goes_on_from_any_event(batches: list[list[int]], data: st.DataObject) -> None:
    rows = Rows(batches)
    if not rows.events:
        return
    index = data.draw(st.integers(0, len(rows.events) - 1))
    place = Position(rows.events[index].timestamp_ms, rows.events[index].id)
    assert list(chunks.group_forward(reader(rows), 1, 0, 2**62, place)) == rows.events[index + 1 :]
    assert list(chunks.stream_backward(reader(rows), 1, 0, 2**62, place)) == rows.events[:index][::-1]


@given(st.lists(st.tuples(TIMES, st.text(max_size=20)), min_size=1, max_size=50))
def test_cutting_loses_nothing_and_bounds_the_span(events: list[tuple[int, str]]) -> None:
    events.sort(key=lambda event: event[0])
    cut = list(chunks.cut(events))
    found: list[Any] = [event for chunk in cut for event in chunks._decode(chunk.events)]
    assert found == events
    assert all(0 <= chunk.last_ms - chunk.first_ms <= MINUTE for chunk in cut)


def test_large_messages_are_cut_and_chunks_stay_below_their_limits() -> None:
    cut = list(chunks.cut([(0, "x" * (3 << 20)), *((1, "y") for _ in range(2 * chunks.MAX_EVENTS))]))
    assert len(cut) == 3
    assert max(len(chunk.events) for chunk in cut) < (1 << 20) + 100
