"""Events on a real store, called as the wire calls them, with targets that write down what they got."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.ids import Arn
from mayfly.services.contract import ANONYMOUS, RequestContext, ServiceError
from mayfly.services.events.http_targets import HttpDelivery, HttpTargetError
from mayfly.services.events.service import EventsService
from mayfly.services.ports import PLAIN, QueueMessage, SentMessage, TargetOptions
from mayfly.settings import EventLimits
from mayfly.store.api import Reader, Tx
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from tests.conftest import VAULT

ACCOUNT, REGION = "000000000000", "us-east-1"
PATTERN = json.dumps({"source": ["shop"]})


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def destination_arn(name: str) -> str:
    return f"arn:aws:events:{REGION}:{ACCOUNT}:api-destination/{name}/0d4b2c3e"


def entry(detail: Any = None, *, source: str = "shop", kind: str = "sold", bus: str | None = None) -> dict[str, Any]:
    made = {"Source": source, "DetailType": kind, "Detail": json.dumps({} if detail is None else detail)}
    return made if bus is None else {**made, "EventBusName": bus}


@dataclass
class Targets:
    """`ports.EventTargets` and `ports.QueueSink`: functions and queues that exist unless they are `broken`."""

    got: list[tuple[str, bytes, TargetOptions]] = field(default_factory=list)
    letters: list[tuple[str, QueueMessage]] = field(default_factory=list)
    broken: dict[str, ServiceError] = field(default_factory=dict)
    events: Any = None

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        service = Arn.parse(arn).service
        if service == "events":
            await self.events.event_targets.check(arn, principal, source_arn, source_account)
        elif service not in ("lambda", "sqs", "sns", "logs"):
            raise ServiceError("ValidationException", f"Mayfly cannot send events to {arn}.")

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        if arn in self.broken:
            raise self.broken[arn]
        tx.after_commit(lambda: self.got.append((arn, event, options)))

    def send(self, tx: Tx, queue_arn: str, message: QueueMessage) -> SentMessage:
        if queue_arn in self.broken:
            raise self.broken[queue_arn]
        tx.after_commit(lambda: self.letters.append((queue_arn, message)))
        return SentMessage("m")

    def of(self, arn: str) -> list[dict[str, Any]]:
        """The events that a target got."""
        return [json.loads(event) for to, event, _ in self.got if to == arn]


@dataclass
class Destinations:
    """`HttpTargets` whose answers a test chooses: an error, or a function that is awaited."""

    got: list[tuple[str, HttpDelivery]] = field(default_factory=list)
    answer: Callable[[str], Any] | None = None

    def exists(self, reader: Reader, arn: str) -> bool:
        return True

    async def deliver(self, arn: str, delivery: HttpDelivery) -> None:
        self.got.append((arn, delivery))
        if self.answer is not None:
            result = self.answer(arn)
            if isinstance(result, HttpTargetError):
                raise result
            if result is not None:
                await result


class Events:
    """Operations by name, with the context of one caller."""

    def __init__(
        self, store: SqliteStore, clock: ManualClock, targets: Targets, http: Destinations, limits: EventLimits
    ) -> None:
        self.targets, self.http, self.clock, self.store, self.limits = targets, http, clock, store, limits
        self.queue = SqlReadyQueue(store, clock, VAULT)
        numbers = itertools.count(1)
        self.service = EventsService(
            store,
            self.queue,
            targets,
            targets,
            http,
            clock,
            lambda: f"event-{next(numbers)}",
            account=ACCOUNT,
            region=REGION,
            limits=limits,
        )
        targets.events = self.service
        self.context = RequestContext("request-1", ACCOUNT, REGION, ANONYMOUS, "http://127.0.0.1:4566")

    async def call(self, name: str, **request: Any) -> dict[str, Any]:
        """The reply."""
        reply: dict[str, Any] = await self.service.operations[name](self.context, request)
        return reply

    async def refused(self, name: str, **request: Any) -> ServiceError:
        """The error of a call that must fail."""
        with pytest.raises(ServiceError) as caught:
            await self.call(name, **request)
        return caught.value

    async def rule(self, name: str = "rule", *arns: str, bus: str = "default", pattern: str = PATTERN) -> None:
        """A rule with targets that get the events as they are."""
        await self.call("PutRule", Name=name, EventBusName=bus, EventPattern=pattern)
        if arns:
            targets = [{"Id": f"t{number}", "Arn": arn} for number, arn in enumerate(arns)]
            await self.call("PutTargets", Rule=name, EventBusName=bus, Targets=targets)

    async def put(self, *entries: dict[str, Any]) -> dict[str, Any]:
        return await self.call("PutEvents", Entries=list(entries))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The background work of the service."""
        task = asyncio.create_task(self.service.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def pass_time(self, seconds: float) -> None:
        """Move the clock, and let those who wait for it look."""
        self.clock.advance(seconds)
        self.queue.clock_moved()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when `condition` holds, which something that is under way brings about."""
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - what is waited for is not ours to signal
                await asyncio.sleep(0.002)


@pytest.fixture
def limits() -> EventLimits:
    return EventLimits()


@pytest.fixture
async def events(open_store: Any, clock: ManualClock, limits: EventLimits) -> Events:
    store: SqliteStore = await open_store("mayfly.services.events", "mayfly.ticker")
    return Events(store, clock, Targets(), Destinations(), limits)
