"""What a source of events must offer to be read by a mapping: the seam between `runner` and queues, streams, brokers.

Contract (RFC 2119 words; `tests/services/functions/mappings/drivers_contract.py` holds every driver to it).

1. `open` MUST fail with a `ServiceError` while the source is not there, and MAY be called again.
2. `poll` MUST return no more batches than it was asked for, none that is empty (but for the last call of a tumbling
   window), and no record in two of them. It MUST return within about `wait_s` when there is nothing, at once when there
   is something, and MAY gather for as long as the mapping's batching window lasts. What is filtered out is in no batch,
   and never comes again.
3. A batch MUST be settled, given back or released before anything of its lane that follows it is polled.
4. `settle` with a success MUST mean that no record of the batch comes again, also after a restart; with a failure,
   that each comes again until the mapping's or the source's rules give it up. Records that come again keep the order
   of their lane.
5. `give_back` MUST let every record of the batch come again, without counting an attempt if the source can help it.
6. After the death of the process at any moment, a new driver of the same mapping MUST return every record that was not
   settled, and MUST NOT let the old one settle anything any more once it has polled.
7. A batch is JSON of at most `MAX_BATCH_BYTES`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

MAX_BATCH_BYTES: Final = 6 * 1024 * 1024
ENVELOPE_BYTES: Final = 1024  # what surrounds the records of a batch, at most


class Record(NamedTuple):
    """One record, held by this process."""

    id: str  # what a partial failure names
    encoded: bytes  # JSON, as the function gets it
    handle: Any  # the driver's own
    lane: str | None = None  # records of one lane are done in their order
    trace: str | None = None  # that it is part of


@dataclass(frozen=True, eq=False)
class Batch:
    """Records for one call."""

    records: Sequence[Record]
    payload: bytes  # of the call
    held_until: float = math.inf  # by the clock's monotonic time; then the source gives them to others
    context: Any = None  # the driver's own
    name: str = field(default="")  # for logs
    trace: str | None = None  # that the records are part of


class Ran(NamedTuple):
    """How a call went that ran."""

    request_id: str
    failed: bool
    answer: bytes  # of the function: its result, or the description of its error
    version: str


class Driver(Protocol):
    """One mapping's source, for as long as the mapping is enabled in this process. See the module for the contract."""

    async def open(self) -> None: ...

    async def poll(self, most: int, wait_s: float) -> Sequence[Batch]: ...

    async def settle(self, batch: Batch, ran: Ran) -> int:
        """Act on the result; how many of its records failed."""

    async def give_back(self, batch: Batch) -> None:
        """It was not run: its records may come again at once."""

    async def release(self, batch: Batch) -> None:
        """It could not be run, or nobody knows what came of it: its records come again when the source sees fit."""

    async def close(self) -> None:
        """Let go of everything. Batches are settled or given back before."""


class Meter(Protocol):
    """Counts what becomes of a mapping's events, if its author wants to know: the metrics of MetricsConfig."""

    def add(self, metric: str, events: int) -> None: ...


def payload(records: Sequence[Record]) -> bytes:
    """The event of queues and streams."""
    return b'{"Records":[' + b",".join([record.encoded for record in records]) + b"]}"


def fitting(records: Sequence[Record], most: int, size_of: Callable[[Record], int]) -> list[Sequence[Record]]:
    """`records` in parts, in order, each of at most `most` records and of what fits into a call; a record that does
    not fit alone is alone."""
    parts: list[Sequence[Record]] = []
    start = size = 0
    room = MAX_BATCH_BYTES - ENVELOPE_BYTES
    for place, record in enumerate(records):
        length = size_of(record) + 1
        if place > start and (place - start >= most or size + length > room):
            parts.append(records[start:place])
            start, size = place, 0
        size += length
    if start < len(records):
        parts.append(records[start:])
    return parts
