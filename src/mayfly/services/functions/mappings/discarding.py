"""Telling of records that were given up: the description that an OnFailure destination gets.

Queues and topics take it in the transaction that moves the checkpoint on. A bucket does not, and has it before; so a
crash in between leaves one description of records that are tried once more.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mayfly import ids
from mayfly.clock import Clock, utc
from mayfly.ids import Arn
from mayfly.policy.stream_batches import Reason
from mayfly.services.contract import ServiceError
from mayfly.services.functions.mappings import failures
from mayfly.services.functions.mappings.drivers import Ran
from mayfly.services.functions.mappings.failures import GivenUp
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.shapes import Shape
from mayfly.services.ports import EventTargets, ObjectSink, ShardRecord, Source
from mayfly.store.api import Tx

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Discarded:
    """Records of one shard that no function will be called with any more."""

    shard: str
    records: Sequence[ShardRecord]
    reason: Reason
    attempts: int
    payload: bytes  # of the call
    ran: Ran | None  # the last call; None: their age was used up


class Discards(Protocol):
    """Where they are told of."""

    async def ahead(self, discarded: Discarded) -> bool:
        """Tell what cannot be told in a transaction; whether that was all there is to tell."""

    def hand(self, tx: Tx, discarded: Discarded) -> bool:
        """Tell in the caller's transaction; whether anybody heard of it."""


class OnFailure:
    """`Discards` of a mapping."""

    def __init__(
        self,
        mapping: Mapping,
        source: Source,
        shape: Shape,
        targets: EventTargets,
        objects: ObjectSink,
        clock: Clock,
    ) -> None:
        self._mapping = mapping
        self._source = source
        self._shape = shape
        self._targets = targets
        self._objects = objects
        self._clock = clock

    async def ahead(self, discarded: Discarded) -> bool:
        arn = self._mapping.on_failure
        if arn is None or Arn.parse(arn).service != "s3":
            return False
        at = utc(self._clock.now())
        folder = f"aws/lambda/{self._mapping.uuid}/{discarded.shard}/{at:%Y/%m/%d}"
        key = f"{folder}/{at:%Y-%m-%dT%H.%M.%S}-{ids.request_id()}"
        body = self._record(discarded, discarded.payload)
        try:
            await self._objects.put(Arn.parse(arn).resource, key, body, "application/json", self._source)
        except ServiceError as error:
            self._refused(arn, error)
            return False
        return True

    def hand(self, tx: Tx, discarded: Discarded) -> bool:
        arn = self._mapping.on_failure
        if arn is None or Arn.parse(arn).service == "s3":
            return False
        try:
            self._targets.accept(tx, arn, self._record(discarded, None))
        except ServiceError as error:
            self._refused(arn, error)
            return False
        return True

    def _record(self, discarded: Discarded, payload: bytes | None) -> bytes:
        ran, records = discarded.ran, discarded.records
        given_up = GivenUp(
            discarded.reason,
            ran.request_id if ran is not None else ids.request_id(),
            self._mapping.function,
            discarded.attempts,
            ran.version if ran is not None else None,
            ran.failed if ran is not None else False,
        )
        info = self._shape.info(self._mapping.source, discarded.shard, records, len(discarded.payload))
        return failures.record(given_up, self._shape.batch_info, info, self._clock.now(), payload)

    def _refused(self, arn: str, error: ServiceError) -> None:
        _log.error("%s refused to hear of records of %s that were given up: %s", arn, self._mapping.uuid, error)
