"""Pipes on a real store, with real queues as sources and targets, and functions that tests write."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from mayfly.clock import SystemClock
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.pipes.names import Home
from mayfly.services.pipes.service import PipesService
from mayfly.services.ports import Credentials, LogLines, SigningKey, UsageRecord
from mayfly.services.queues.service import QueuesService
from mayfly.store.sqlite import SqliteStore

HOME = Home("000000000000", "us-east-1")
ROLE = "arn:aws:iam::000000000000:role/r"
ENDPOINT = "http://127.0.0.1:4566"
ROOT = Principal("root", HOME.account, f"arn:aws:iam::{HOME.account}:root", HOME.account)
CONTEXT = RequestContext("request-1", HOME.account, HOME.region, ROOT, ENDPOINT)
FUNCTION = f"arn:aws:lambda:us-east-1:{HOME.account}:function:f"
GROUP = f"arn:aws:logs:us-east-1:{HOME.account}:log-group:g"


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:{HOME.account}:{name}"


class Identity:
    """One role that pipes may assume, while `trusted`."""

    def __init__(self) -> None:
        self.trusted = True

    async def exists(self, role_arn: str) -> bool:
        return role_arn == ROLE

    async def trusts(self, role_arn: str, service: str) -> bool:
        return self.trusted and role_arn == ROLE and service == "pipes.amazonaws.com"

    async def credentials(self, role_arn: str, session_name: str, duration_s: int) -> Credentials:
        return Credentials("ASIA", "secret", session_name, datetime.fromtimestamp(0, UTC))

    async def find(self, access_key_id: str, session_token: str | None) -> SigningKey:
        return SigningKey("secret", Principal("assumed-role", HOME.account, f"arn:aws:sts:::{session_token}", "AROA"))


class Operations:
    """Functions that tests write, by what they answer; log lines that were put."""

    def __init__(self) -> None:
        self.function: Callable[[Any], Any] = lambda batch: None
        self.calls: list[Any] = []
        self.lines: list[Any] = []
        self.called = asyncio.Event()

    async def find(self, service: str, action: str) -> tuple[str, str] | None:
        return (service, action) if (service, action) != ("sfn", "startSyncExecution") else None

    async def call_json(
        self, context: RequestContext, service: str, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        if operation == "putLogEvents":
            self.lines.append(document)
            self.called.set()
            return {}
        batch = json.loads(document["Payload"])
        self.calls.append(batch)
        self.called.set()
        answer = self.function(batch)
        if isinstance(answer, Exception):
            raise answer
        return {"StatusCode": 200, "Payload": json.dumps(answer).encode()}


class Records:
    """`ports.CallRecords`, kept."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def append(self, lines: Sequence[LogLines], usages: Sequence[UsageRecord]) -> None:
        self.lines += [json.loads(text) for each in lines for _, text in each.events]


class Destinations:
    """API destinations, which take everything."""

    def __init__(self) -> None:
        self.answer = b""
        self.requests: list[tuple[str, bytes, list[str], dict[str, str], dict[str, str]]] = []

    async def deliver(
        self,
        arn: str,
        body: bytes,
        path_values: Sequence[str],
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> bytes:
        self.requests.append((arn, body, list(path_values), dict(headers), dict(query)))
        return self.answer


class Stage:
    """The service on queues."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.queues = QueuesService(store, SystemClock())
        self.identity = Identity()
        self.operations = Operations()
        self.records = Records()
        self.destinations = Destinations()
        self.tasks: list[asyncio.Task[None]] = []
        self.open()

    def open(self) -> None:
        """A process's service, running."""
        self.service = PipesService(
            self.store,
            SystemClock(),
            HOME,
            self.queues.source,
            self.queues.event_targets,
            self.operations,
            self.identity,
            self.identity,
            self.records,
            self.destinations,
            ENDPOINT,
        )
        self.tasks.append(asyncio.create_task(self.service.run()))

    async def die(self) -> None:
        """End the process's service without a farewell."""
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.tasks.clear()

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.service.operations[operation](CONTEXT, request)
        return reply

    async def refused(self, operation: str, **request: Any) -> tuple[str, str]:
        with pytest.raises(ServiceError) as caught:
            await self.call(operation, **request)
        return caught.value.code, caught.value.message

    async def sqs(self, operation: str, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.queues.operations[operation](CONTEXT, request)
        return reply

    async def make_queue(self, name: str, **attributes: str) -> str:
        url: str = (await self.sqs("CreateQueue", QueueName=name, Attributes=attributes))["QueueUrl"]
        return url

    async def send(self, url: str, *bodies: Any, **more: Any) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            await self.sqs("SendMessage", QueueUrl=url, MessageBody=text, **more)

    async def receive(self, url: str, count: int = 1, **more: Any) -> list[dict[str, Any]]:
        """`count` messages, waited for, and deleted."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(60):
            while len(found) < count:
                reply = await self.sqs(
                    "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20,
                    MessageSystemAttributeNames=["All"], **more,
                )  # fmt: skip
                for message in reply.get("Messages", []):
                    await self.sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    found.append(message)
        return found

    async def held(self, url: str) -> int:
        """How many messages a queue has, in flight or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        reply = await self.sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=names)
        return sum(int(value) for value in reply["Attributes"].values())

    async def drained(self, url: str) -> None:
        """Wait until a queue is empty; bounded."""
        async with asyncio.timeout(60):
            while await self.held(url):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def create(self, source: str = "in", target: str = "out", **more: Any) -> dict[str, Any]:
        """A pipe, once it has settled."""
        name = more.pop("Name", "p")
        request = {"Name": name, "Source": queue_arn(source), "Target": queue_arn(target), "RoleArn": ROLE, **more}
        reply = await self.call("CreatePipe", **request)
        await self.service.driver.settled(name)
        return reply


OpenStore = Callable[..., Awaitable[SqliteStore]]


@pytest.fixture
async def stage(open_store: OpenStore) -> AsyncIterator[Stage]:
    stage = Stage(await open_store("mayfly.services.queues", "mayfly.services.pipes"))
    yield stage
    await stage.die()
