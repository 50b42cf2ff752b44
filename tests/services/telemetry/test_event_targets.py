"""Log groups as targets of events."""

import json
from typing import Any

import pytest

from mayfly.app.targets import Targets
from mayfly.clock import ManualClock
from mayfly.services.contract import ANONYMOUS, RequestContext, ServiceError
from mayfly.services.telemetry.on_the_wire import LogsOnTheWire
from mayfly.services.telemetry.service import LogsService
from mayfly.store.sqlite import SqliteStore

ARN = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/sales"


class Logs:
    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.store = store
        self.service = LogsService(store, clock)
        self.wire = LogsOnTheWire(store, self.service.book, clock, Targets())
        self.service.book.attach(self._flush)

    async def _flush(self) -> None:
        """There is no journal here."""

    async def call(self, name: str, **request: Any) -> Any:
        context = RequestContext("r", "000000000000", "us-east-1", ANONYMOUS, "http://127.0.0.1:4566")
        return await self.wire.operations[name](context, request)

    async def send(self, event: bytes, arn: str = ARN) -> None:
        await self.store.write(lambda tx: self.service.event_targets.accept(tx, arn, event))

    async def lines(self) -> list[tuple[int, str]]:
        reply = await self.call("FilterLogEvents", logGroupName="/aws/events/sales")
        return [(event["timestamp"], event["message"]) for event in reply["events"]]


@pytest.fixture
async def logs(open_store: Any, clock: ManualClock) -> Logs:
    made = Logs(await open_store("mayfly.services.telemetry"), clock)
    await made.call("CreateLogGroup", logGroupName="/aws/events/sales")
    return made


async def test_an_event_is_a_line_of_the_moment(logs: Logs, clock: ManualClock) -> None:
    await logs.send(b'{"a": 1}')
    await logs.send(b"not json", f"{ARN}:*")
    now_ms = int(clock.now() * 1000)
    assert sorted(await logs.lines()) == [(now_ms, "not json"), (now_ms, '{"a": 1}')]


async def test_a_timestamp_and_a_message_are_what_they_say(logs: Logs, clock: ManualClock) -> None:
    at_ms = int(clock.now() * 1000) - 5000
    await logs.send(json.dumps({"timestamp": at_ms, "message": "hello"}).encode())
    await logs.send(json.dumps({"timestamp": str(at_ms + 1), "message": {"b": 2}}).encode())
    assert await logs.lines() == [(at_ms, "hello"), (at_ms + 1, '{"b":2}')]


async def test_a_group_that_is_not_there_refuses(logs: Logs) -> None:
    with pytest.raises(ServiceError) as caught:
        await logs.send(b"{}", ARN + "2")
    assert caught.value.code == "ResourceNotFoundException"
    with pytest.raises(ServiceError):
        await logs.service.event_targets.check(ARN + "2", "events.amazonaws.com", "", "")
    await logs.service.event_targets.check(ARN, "events.amazonaws.com", "", "")
