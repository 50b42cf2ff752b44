"""Where records come from: what a runner needs of a source, and queues as one.

A source of another kind is one more class with these five methods and an entry in `sources_of`; `tests/services/pipes`
has the contract that all of them pass.
"""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.pipes.names import service_of
from mayfly.services.ports import HeldMessage, QueueSource
from mayfly.store.api import StaleClaimError, Store, Tx

LOOK_S = 20.0  # a receiver waits so long before it looks again
_DEFAULT_BATCH = 10
_LEAST_S = 1  # that messages are held at a time, however short their visibility timeout
_AT_ONCE = 1000  # messages of one transaction


@dataclass(frozen=True, slots=True)
class Record:
    """One record, held by this process until it is done, kept longer, or let go."""

    id: str  # what a partial failure names
    event: Mapping[str, Any]  # what the pipe passes on
    handle: str
    group: str | None = None  # records of one group are done in their order


class Source(Protocol):
    """What a pipe reads from."""

    async def check(self) -> None:
        """`ServiceError` when there is nothing of that name."""

    async def next(self) -> Sequence[Record]:
        """The next batch: at most as many as the pipe wants at once, waited for as long as it says; none after a
        while without any. Nobody else gets these records for as long as they are held."""

    def done(self, tx: Tx, records: Sequence[Record]) -> None:
        """Remove records for good, as part of the caller's transaction. `StaleClaimError`, which undoes it, when one
        of them is held no more: somebody else may have it."""

    @property
    def keep_every_s(self) -> float:
        """How often `keep` must be called while records are worked on."""

    async def keep(self, records: Sequence[Record]) -> None:
        """Hold records longer."""


class QueueRecords:
    """Messages of a queue. What is not done comes again when its visibility timeout is over."""

    def __init__(
        self, queues: QueueSource, store: Store, clock: Clock, arn: str, parameters: Mapping[str, Any]
    ) -> None:
        self._queues = queues
        self._store = store
        self._clock = clock
        self._arn = arn
        self._region = arn.split(":")[3]
        self._most: int = parameters.get("BatchSize", _DEFAULT_BATCH)
        self._window_s: float = parameters.get("MaximumBatchingWindowInSeconds", 0)
        self._visibility_s = 30

    async def check(self) -> None:
        self._visibility_s = await self._queues.visibility_s(self._arn)

    async def next(self) -> Sequence[Record]:
        found = list(await self._queues.receive(self._arn, min(self._most, _AT_ONCE), LOOK_S))
        if not found:
            return ()
        self._visibility_s = await self._queues.visibility_s(self._arn)
        if self._window_s and len(found) < self._most:  # else they come again while others are waited for
            await self._hold([message.handle for message in found], self._visibility_s + math.ceil(self._window_s))
        until = self._clock.monotonic() + self._window_s
        while len(found) < self._most and (left_s := until - self._clock.monotonic()) > 0:
            more = min(self._most - len(found), _AT_ONCE)
            found += await self._queues.receive(self._arn, more, min(left_s, LOOK_S))
        return [self._record(message) for message in found]

    def done(self, tx: Tx, records: Sequence[Record]) -> None:
        try:
            removed = self._queues.delete(tx, self._arn, [record.handle for record in records])
        except ServiceError as error:
            raise StaleClaimError(f"messages of {self._arn} are held no more: {error.message}") from error
        if removed != len(records):
            raise StaleClaimError(f"{len(records) - removed} messages of {self._arn} are held no more")

    @property
    def keep_every_s(self) -> float:
        return max(_LEAST_S, self._visibility_s) / 2

    async def keep(self, records: Sequence[Record]) -> None:
        await self._hold([record.handle for record in records], max(_LEAST_S, self._visibility_s))

    async def _hold(self, handles: Sequence[str], visibility_s: int) -> None:
        await self._store.write(lambda tx: self._queues.hold(tx, self._arn, handles, visibility_s))

    def _record(self, message: HeldMessage) -> Record:
        shown = message.shown
        attributes = shown.get("Attributes", {})
        event = {
            "messageId": shown["MessageId"],
            "receiptHandle": message.handle,
            "body": shown["Body"],
            "attributes": attributes,
            "messageAttributes": {name: _attribute(each) for name, each in shown.get("MessageAttributes", {}).items()},
            "md5OfBody": shown["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": self._region,
        }
        group = attributes.get("MessageGroupId") if self._arn.endswith(".fifo") else None
        return Record(shown["MessageId"], event, message.handle, group)


def _attribute(given: Mapping[str, Any]) -> dict[str, Any]:
    """A message attribute in the form of events: names that begin with a small letter."""
    shown = {"dataType": given["DataType"], "stringListValues": [], "binaryListValues": []}
    if "BinaryValue" in given:
        return {**shown, "binaryValue": base64.b64encode(given["BinaryValue"]).decode()}
    return {**shown, "stringValue": given.get("StringValue", "")}


MakeSource = Callable[[str, Mapping[str, Any]], Source]


class Sources:
    """Sources by the service in their ARN. Streams join when there are any."""

    def __init__(self, queues: QueueSource, store: Store, clock: Clock) -> None:
        self._kinds: dict[str, tuple[str, MakeSource]] = {
            "sqs": ("SqsQueueParameters", lambda arn, given: QueueRecords(queues, store, clock, arn, given))
        }

    def parameters_of(self, arn: str) -> str | None:
        """The name of the parameters that a source takes; None for a source that there is not."""
        kind = self._kinds.get(service_of(arn))
        return None if kind is None else kind[0]

    def of(self, arn: str, source_parameters: Mapping[str, Any], *, alone: bool = False) -> Source:
        """The source of a pipe, whose parameters were checked; `alone`: records go one by one, if nothing else was
        asked for."""
        name, make = self._kinds[service_of(arn)]
        return make(arn, {**({"BatchSize": 1} if alone else {}), **source_parameters.get(name, {})})
