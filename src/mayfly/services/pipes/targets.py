"""Where a pipe's events go: targets that take them within a transaction, and those that are called.

What a target gets is a *value*: text is handed to queues, topics and logs as it is; everything else, and everything
that goes to functions, buses and state machines, is JSON.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.pipes import paths
from mayfly.services.pipes.calls import Calls
from mayfly.services.pipes.model import Pipe
from mayfly.services.pipes.names import DESTINATIONS, Home, service_of
from mayfly.services.pipes.requests import request
from mayfly.services.ports import PLAIN, DestinationCalls, EventTargets, TargetOptions
from mayfly.store.api import Tx

# The largest batch that a target takes ("Supported batchable targets"); None: any.
MOST: dict[str, int | None] = {
    "sqs": 10,
    "sns": 10,
    "events": 10,
    "lambda": None,
    "states": None,
    "logs": 10_000,
    DESTINATIONS: 1,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One event for a target."""

    event: Any  # what paths in parameters lead into
    value: Any  # what the target gets


@runtime_checkable
class Local(Protocol):
    """A target that takes events in a transaction. `ServiceError` when it cannot: nothing was written then."""

    def accept(self, tx: Tx, items: Sequence[Item]) -> None: ...


class Called(Protocol):
    """A target that is called. The places of the items that failed; `ServiceError` when all of them did."""

    async def call(self, items: Sequence[Item], ids: Sequence[str]) -> set[int]: ...


def target_of(
    pipe: Pipe, home: Home, targets: EventTargets, calls: Calls, destinations: DestinationCalls, clock: Clock
) -> Local | Called:
    """The target of a pipe whose parameters were checked."""
    service = service_of(pipe.target)
    if service == DESTINATIONS:
        return Destination(pipe, destinations)
    if service == "lambda":
        if _fires(pipe, "LambdaFunctionParameters"):
            return FiredFunction(pipe, targets)
        return CalledFunction(pipe, calls)
    if service == "states":
        return StateMachine(pipe, calls)
    if service == "logs":
        return LogGroup(pipe, calls, clock)
    return Messages(pipe, home, targets)


class Messages:
    """Queues, topics and event buses: a message or an event for each item."""

    def __init__(self, pipe: Pipe, home: Home, targets: EventTargets) -> None:
        self._pipe = pipe
        self._targets = targets
        self._queue: dict[str, str] = pipe.target_parameters.get("SqsQueueParameters", {})
        self._bus: dict[str, Any] = pipe.target_parameters.get("EventBridgeEventBusParameters", {})
        self._is_bus = service_of(pipe.target) == "events"
        self._kind = service_of(pipe.source)
        self._default_resources = (home.arn(pipe.name),)

    def accept(self, tx: Tx, items: Sequence[Item]) -> None:
        for item in items:
            text = json_text(item.value) if self._is_bus else plain_text(item.value)
            self._targets.accept(tx, self._pipe.target, text.encode(), self._options(item.event))

    def _options(self, event: Any) -> TargetOptions:
        if self._is_bus:
            return TargetOptions(
                source=paths.dynamic(self._bus.get("Source", f"Pipe {self._pipe.name}"), event) or "",
                detail_type=paths.dynamic(self._bus.get("DetailType", f"Event from aws:{self._kind}"), event) or "",
                resources=self._resources(event),
            )
        if not self._queue:
            return PLAIN
        return TargetOptions(
            group_id=paths.dynamic(self._queue.get("MessageGroupId", ""), event) or None,
            deduplication_id=paths.dynamic(self._queue.get("MessageDeduplicationId", ""), event) or None,
        )

    def _resources(self, event: Any) -> tuple[str, ...]:
        given: list[str] | None = self._bus.get("Resources")
        if given is None:
            return self._default_resources
        found = [paths.dynamic(each, event) for each in given]
        return tuple(each for each in found if each)


class FiredFunction:
    """A function that is invoked asynchronously, with the batch."""

    def __init__(self, pipe: Pipe, targets: EventTargets) -> None:
        self._arn = pipe.target
        self._targets = targets

    def accept(self, tx: Tx, items: Sequence[Item]) -> None:
        self._targets.accept(tx, self._arn, json_text([item.value for item in items]).encode())


class CalledFunction:
    """A function that is invoked with the batch, and may say which of its records failed."""

    def __init__(self, pipe: Pipe, calls: Calls) -> None:
        self._pipe = pipe
        self._calls = calls

    async def call(self, items: Sequence[Item], ids: Sequence[str]) -> set[int]:
        payload = json_text([item.value for item in items]).encode()
        return failed_places(await self._calls.invoke(self._pipe.role, self._pipe.target, payload), ids)


class StateMachine:
    """A state machine, started with the batch."""

    def __init__(self, pipe: Pipe, calls: Calls) -> None:
        self._pipe = pipe
        self._calls = calls
        self._wait = not _fires(pipe, "StepFunctionStateMachineParameters", default="FIRE_AND_FORGET")

    async def call(self, items: Sequence[Item], ids: Sequence[str]) -> set[int]:
        given = json_text([item.value for item in items])
        answer = await self._calls.run(self._pipe.role, self._pipe.target, given, wait=self._wait)
        return failed_places(answer, ids)


class LogGroup:
    """A log group: a line for each item, in one stream, which is made when it is not there."""

    def __init__(self, pipe: Pipe, calls: Calls, clock: Clock) -> None:
        parameters: dict[str, str] = pipe.target_parameters.get("CloudWatchLogsParameters", {})
        self._role = pipe.role
        self._group = pipe.target.split(":log-group:", 1)[-1].removesuffix(":*")
        self._stream = parameters.get("LogStreamName", pipe.name)
        self._timestamp = parameters.get("Timestamp")
        self._calls = calls
        self._clock = clock

    async def call(self, items: Sequence[Item], ids: Sequence[str]) -> set[int]:
        timed = sorted(((self._time(item.event), plain_text(item.value)) for item in items), key=lambda pair: pair[0])
        lines = [{"timestamp": at, "message": text} for at, text in timed]
        place = {"logGroupName": self._group, "logStreamName": self._stream}
        try:
            await self._calls.call(self._role, "cloudwatchlogs", "putLogEvents", {**place, "logEvents": lines})
        except ServiceError as error:
            if error.code != "ResourceNotFoundException" or "stream" not in error.message:
                raise
            await self._calls.call(self._role, "cloudwatchlogs", "createLogStream", place)
            await self._calls.call(self._role, "cloudwatchlogs", "putLogEvents", {**place, "logEvents": lines})
        return set()

    def _time(self, event: Any) -> int:
        given = None if self._timestamp is None else paths.dynamic(self._timestamp, event)
        try:
            return int(float(given)) if given is not None else int(self._clock.now() * 1000)
        except ValueError:
            return int(self._clock.now() * 1000)


class Destination:
    """An API destination: a request for each item."""

    def __init__(self, pipe: Pipe, destinations: DestinationCalls) -> None:
        self._arn = pipe.target
        self._given: dict[str, Any] = pipe.target_parameters.get("HttpParameters", {})
        self._destinations = destinations

    async def call(self, items: Sequence[Item], ids: Sequence[str]) -> set[int]:
        for item in items:  # one, as a batch has no more, unless an enrichment made more of it
            await request(self._destinations, self._arn, self._given, item.event, item.value)
        return set()


def failed_places(answer: Any, ids: Sequence[str]) -> set[int]:
    """Which items an answer says failed (`batchItemFailures`); all of them where it names one that there is not."""
    if not isinstance(answer, dict) or not isinstance(answer.get("batchItemFailures"), list):
        return set()
    places = {each: place for place, each in enumerate(ids)}
    failed: set[int] = set()
    for failure in answer["batchItemFailures"]:
        place = places.get(failure.get("itemIdentifier", "")) if isinstance(failure, dict) else None
        if place is None:
            return set(range(len(ids)))
        failed.add(place)
    return failed


def json_text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def plain_text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


def _fires(pipe: Pipe, parameters: str, default: str = "REQUEST_RESPONSE") -> bool:
    kind: str = pipe.target_parameters.get(parameters, {}).get("InvocationType", default)
    return kind == "FIRE_AND_FORGET"
