"""Schedules on a real store and a clock that tests move, with targets that write down what they get."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import ANONYMOUS, Principal, RequestContext, ServiceError
from mayfly.services.ports import (
    PLAIN,
    Credentials,
    QueueMessage,
    SentMessage,
    SigningKey,
    TargetOptions,
)
from mayfly.services.schedules.names import Home
from mayfly.services.schedules.service import SchedulesService
from mayfly.store.api import Tx
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from tests.conftest import VAULT

OpenStore = Callable[..., Awaitable[SqliteStore]]

HOME = Home("000000000000", "us-east-1")
ROLE = "arn:aws:iam::000000000000:role/r"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
CONTEXT = RequestContext("request-1", HOME.account, HOME.region, ANONYMOUS, "http://127.0.0.1:4566")
TABLE = "CREATE TABLE got (arn TEXT NOT NULL, body TEXT NOT NULL, more TEXT NOT NULL)"


class Targets:
    """Targets and dead-letter queues, whose events are rows, so that they share the fate of the transaction."""

    def __init__(self) -> None:
        self.refusal: ServiceError | None = None

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        raise AssertionError("schedules do not check that their targets exist")

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        if self.refusal is not None:
            raise self.refusal
        more = {name: value for name in TargetOptions.__slots__ if (value := getattr(options, name))}
        self._write(tx, arn, event.decode(), more)

    def send(self, tx: Tx, queue_arn: str, message: QueueMessage) -> SentMessage:
        self._write(tx, queue_arn, message.body, {name: each.value for name, each in message.attributes.items()})
        return SentMessage("1")

    def _write(self, tx: Tx, arn: str, body: str, more: Any) -> None:
        tx.run(
            "INSERT INTO got (arn, body, more) VALUES (:arn, :body, :more)",
            {"arn": arn, "body": body, "more": json.dumps(more)},
        )


class Identity:
    """One role that Scheduler may assume, while `trusted`."""

    def __init__(self) -> None:
        self.trusted = True
        self.asked = 0

    async def exists(self, role_arn: str) -> bool:
        return role_arn == ROLE

    async def trusts(self, role_arn: str, service: str) -> bool:
        self.asked += 1
        return self.trusted and role_arn == ROLE and service == "scheduler.amazonaws.com"

    async def credentials(self, role_arn: str, session_name: str, duration_s: int) -> Credentials:
        return Credentials("ASIA", "secret", session_name, datetime.fromtimestamp(0, UTC))

    async def find(self, access_key_id: str, session_token: str | None) -> SigningKey:
        arn = f"arn:aws:sts::{HOME.account}:assumed-role/r/{session_token}"
        return SigningKey("secret", Principal("assumed-role", HOME.account, arn, "AROA"))


class SdkCalls:
    """One operation, `sqs:createQueue`, which fails as often as `failures` says."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.failures = 0

    async def find(self, service: str, action: str) -> tuple[str, str] | None:
        return ("sqs", "CreateQueue") if (service, action) == ("sqs", "createQueue") else None

    async def call_json(
        self, context: RequestContext, service: str, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        self.calls.append((context.principal.arn, operation, dict(document)))
        if self.failures:
            self.failures -= 1
            raise ServiceError("Throttling", "slow down")
        return {}


class Stage:
    """The service, and what it does to the world."""

    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.start = clock.now()
        self.queue = SqlReadyQueue(store, clock, VAULT)
        self.targets = Targets()
        self.identity = Identity()
        self.calls = SdkCalls()
        self.reopen()

    def reopen(self) -> None:
        """The next process on the same database."""
        self.service = SchedulesService(
            self.store,
            self.queue,
            self.clock,
            HOME,
            self.targets,
            self.calls,
            self.identity,
            self.identity,
            self.targets,
            "http://127.0.0.1:4566",
        )

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.service.operations[operation](CONTEXT, request)
        return reply

    async def refused(self, operation: str, **request: Any) -> tuple[str, str]:
        with pytest.raises(ServiceError) as caught:
            await self.call(operation, **request)
        return caught.value.code, caught.value.message

    def request(self, expression: str = "rate(5 minutes)", **more: Any) -> dict[str, Any]:
        target = {"Arn": QUEUE, "RoleArn": ROLE, "Input": "hello", **more.pop("target", {})}
        return {
            "Name": "s",
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": target,
            **more,
        }

    async def create(self, expression: str = "rate(5 minutes)", **more: Any) -> str:
        arn: str = (await self.call("CreateSchedule", **self.request(expression, **more)))["ScheduleArn"]
        return arn

    async def pass_time(self, seconds: float = 0.0) -> None:
        """Let time go by and do everything that is due at the end of it."""
        self.clock.advance(seconds)
        await self.service.ticker.settle()
        await self.service.deliveries.settle()
        await self.service.removal.settle()

    async def got(self, arn: str | None = None) -> list[str]:
        """What targets got, in order."""
        return [body for where, body, _ in await self.rows() if arn is None or where == arn]

    async def rows(self) -> list[tuple[str, str, dict[str, Any]]]:
        rows = await self.store.read(lambda reader: reader.all("SELECT arn, body, more FROM got ORDER BY rowid"))
        return [(arn, body, json.loads(more)) for arn, body, more in rows]


@pytest.fixture
async def stage(open_store: OpenStore, clock: ManualClock) -> Stage:
    store = await open_store("mayfly.services.schedules", "mayfly.ticker")
    await store.write(lambda tx: tx.run(TABLE))
    stage = Stage(store, clock)
    await stage.service.start()
    return stage
