"""What arriving events set off: deliveries of subscription filters, values of metric filters.

Both are part of the transaction that stores the events, so neither is lost nor done twice, whatever happens. A target
that cannot take a delivery (its function is gone) loses it, as on AWS.
"""

import base64
import gzip
import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mayfly.services.contract import ServiceError
from mayfly.services.ports import EventTargets, Measured, MetricSink, Source, TargetOptions
from mayfly.services.telemetry.column_patterns import number
from mayfly.services.telemetry.filters import Filter
from mayfly.store.api import Tx

PRINCIPAL = "logs.amazonaws.com"
MAX_PAYLOAD_BYTES = 240 * 1024  # below what functions take asynchronously and queues as a message

_log = logging.getLogger(__name__)


class Arrived(NamedTuple):
    """An event that was stored."""

    id: int
    timestamp_ms: int
    message: str


class Reactions:
    """Given to the book once there is somewhere to send to."""

    def __init__(self, targets: EventTargets, metrics: MetricSink, account: str, region: str) -> None:
        self._targets = targets
        self._metrics = metrics
        self._account = account
        self._region = region

    def react(self, tx: Tx, filters: Iterable[Filter], stream: str, events: Sequence[Arrived]) -> None:
        """Do what the filters of a group say of events that arrived in one of its streams."""
        for one in filters:
            if one.subscription is not None:
                selected = [event for event in events if one.pattern.matches(event.message)]
                self._hand_on(tx, one, stream, selected)
            else:
                self._metrics.measure(tx, measured(one, events))

    def _hand_on(self, tx: Tx, one: Filter, stream: str, events: Sequence[Arrived]) -> None:
        if not events:
            return
        assert one.subscription is not None
        data = payload(self._account, one, stream, events)
        if len(data) > MAX_PAYLOAD_BYTES and len(events) > 1:
            half = len(events) // 2
            self._hand_on(tx, one, stream, events[:half])
            self._hand_on(tx, one, stream, events[half:])
            return
        arn = f"arn:aws:logs:{self._region}:{self._account}:log-group:{one.group}:*"
        options = TargetOptions(on_behalf_of=Source(PRINCIPAL, arn, self._account))
        try:
            self._targets.accept(tx, one.subscription.destination, data, options)
        except ServiceError as error:
            _log.warning("%s of %s was not delivered: %s", one.name, one.group, error.message)


def payload(account: str, one: Filter, stream: str, events: Sequence[Arrived]) -> bytes:
    """What a destination gets: packed JSON under `awslogs`."""
    logged = []
    for event in events:
        entry: dict[str, Any] = {
            "id": f"{event.timestamp_ms:020d}{event.id:036d}",
            "timestamp": event.timestamp_ms,
            "message": event.message,
        }
        if one.pattern.columns is not None:
            found = one.pattern.extracted(event.message)
            entry["extractedFields"] = {name.removeprefix("$"): value for name, value in found.items()}
        logged.append(entry)
    said = {
        "messageType": "DATA_MESSAGE",
        "owner": account,
        "logGroup": one.group,
        "logStream": stream,
        "subscriptionFilters": [one.name],
        "logEvents": logged,
    }
    packed = gzip.compress(json.dumps(said, separators=(",", ":")).encode(), mtime=0)
    return json.dumps({"awslogs": {"data": base64.b64encode(packed).decode()}}).encode()


def measured(one: Filter, events: Iterable[Arrived]) -> list[Measured]:
    """The values that a metric filter finds, by minute and dimensions. Pure."""
    wanted = one.transformation
    assert wanted is not None
    values: defaultdict[tuple[int, tuple[tuple[str, str], ...]], list[float]] = defaultdict(list)
    minutes = set()
    for event in events:
        minute = event.timestamp_ms // 60_000 * 60
        minutes.add(minute)
        if not one.pattern.matches(event.message):
            continue
        value = _value(one, wanted.value, event.message)
        dimensions = _dimensions(one, dict(wanted.dimensions), event.message)
        if value is not None and dimensions is not None:
            values[minute, dimensions].append(value)
    if wanted.default is not None:
        for minute in minutes - {minute for minute, _ in values}:
            values[minute, ()].append(wanted.default)
    return [
        Measured(wanted.namespace, wanted.name, dimensions, wanted.unit, minute, tuple(found))
        for (minute, dimensions), found in values.items()
    ]


def _value(one: Filter, said: str, message: str) -> float | None:
    text = one.pattern.value(said, message) if said.startswith("$") else said
    return None if text is None else number(text)


def _dimensions(one: Filter, said: Mapping[str, str], message: str) -> tuple[tuple[str, str], ...] | None:
    """Names and values; None if the message lacks one, when nothing is measured."""
    found = {name: one.pattern.value(selector, message) for name, selector in said.items()}
    if not all(found.values()):
        return None
    return tuple(sorted((name, str(value)[:1024]) for name, value in found.items()))
