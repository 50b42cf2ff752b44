"""Queues on a real store, called as the wire calls them."""

from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.queues.service import QueuesService
from mayfly.store.sqlite import SqliteStore

ACCOUNT = "000000000000"
ENDPOINT = "http://127.0.0.1:4566"
CALLER = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)


class Queues:
    """Operations by name, with the context of one caller."""

    def __init__(self, service: QueuesService, store: SqliteStore, clock: ManualClock) -> None:
        self.service = service
        self.store = store
        self.clock = clock
        self.context = RequestContext("request-1", ACCOUNT, "us-east-1", CALLER, ENDPOINT)

    async def call(self, name: str, **request: Any) -> dict[str, Any]:
        """The reply."""
        reply: dict[str, Any] = await self.service.operations[name](self.context, request)
        return reply

    async def refused(self, name: str, **request: Any) -> ServiceError:
        """The error of a call that must fail."""
        with pytest.raises(ServiceError) as caught:
            await self.call(name, **request)
        return caught.value

    async def make(self, name: str = "things", **attributes: str) -> str:
        """The URL of a new queue."""
        if name.endswith(".fifo"):
            attributes.setdefault("FifoQueue", "true")
        reply = await self.call("CreateQueue", QueueName=name, Attributes=attributes)
        return str(reply["QueueUrl"])

    async def send(self, url: str, body: str, **more: Any) -> dict[str, Any]:
        """Send one message."""
        return await self.call("SendMessage", QueueUrl=url, MessageBody=body, **more)

    async def receive(self, url: str, count: int = 10, **more: Any) -> list[dict[str, Any]]:
        """What is there now."""
        reply = await self.call(
            "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=count, **{"WaitTimeSeconds": 0, **more}
        )
        found: list[dict[str, Any]] = reply.get("Messages", [])
        return found

    async def bodies(self, url: str, count: int = 10, **more: Any) -> list[str]:
        """The bodies of what is there now."""
        return [message["Body"] for message in await self.receive(url, count, **more)]

    async def delete(self, url: str, message: dict[str, Any]) -> None:
        """Delete a message that was received."""
        await self.call("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    async def hide(self, url: str, message: dict[str, Any], seconds: int) -> None:
        """Change a message's visibility timeout."""
        handle = message["ReceiptHandle"]
        await self.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=seconds)

    async def attributes(self, url: str, *names: str) -> dict[str, str]:
        """Attributes of a queue."""
        reply = await self.call("GetQueueAttributes", QueueUrl=url, AttributeNames=list(names) or ["All"])
        found: dict[str, str] = reply.get("Attributes", {})
        return found

    async def counts(self, url: str) -> tuple[int, int, int]:
        """How many messages are visible, in flight and delayed."""
        found = await self.attributes(url)
        prefix = "ApproximateNumberOfMessages"
        return int(found[prefix]), int(found[f"{prefix}NotVisible"]), int(found[f"{prefix}Delayed"])

    async def rows(self, table: str) -> int:
        """How many rows a table of the database has."""
        row = await self.store.read(lambda reader: reader.one(f"SELECT count(*) FROM {table}"))
        assert row is not None
        return int(row[0])

    def arn(self, name: str) -> str:
        return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


@pytest.fixture
async def queues(open_store: Any, clock: ManualClock) -> Queues:
    store: SqliteStore = await open_store("mayfly.services.queues")
    return Queues(QueuesService(store, clock), store, clock)
