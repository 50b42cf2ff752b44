"""Topics on a real store and a clock that tests move, with queues and functions that write down what they get."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.outgoing.api import OutgoingError, Request, Response
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.ports import PLAIN, LogLines, QueueMessage, SentMessage, TargetOptions
from mayfly.services.topics.service import TopicsService
from mayfly.store.api import Tx
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from tests.conftest import VAULT
from tests.services.topics.subscriber import Subscriber

OpenStore = Callable[..., Awaitable[SqliteStore]]

ACCOUNT, REGION = "000000000000", "us-east-1"
CONTEXT = RequestContext(
    "request-1",
    ACCOUNT,
    REGION,
    Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT),
    "http://127.0.0.1:4566",
)
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
TABLE = "CREATE TABLE got (number INTEGER PRIMARY KEY, arn TEXT NOT NULL, body TEXT NOT NULL, more TEXT NOT NULL)"


def queue(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


class Local:
    """Queues and functions: what they get are rows, so that it shares the fate of the transaction."""

    def __init__(self) -> None:
        self.gone: set[str] = set()

    def send(self, tx: Tx, queue_arn: str, message: QueueMessage) -> SentMessage:
        if message.deduplication_id is not None and not queue_arn.endswith(".fifo"):
            raise ServiceError("InvalidParameterValue", "MessageDeduplicationId is not valid for this queue type.")
        more = {
            "attributes": {
                name: [one.data_type, one.value if isinstance(one.value, str) else one.value.hex()]
                for name, one in message.attributes.items()
            },
            "group": message.group_id,
            "deduplication": message.deduplication_id,
            "sender": message.sender_id,
        }
        self._write(tx, queue_arn, message.body, more)
        return SentMessage("sent-1")

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        raise AssertionError("topics do not check that their targets exist")

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        self._write(tx, arn, event.decode(), {})

    def _write(self, tx: Tx, arn: str, body: str, more: Any) -> None:
        if arn in self.gone:
            raise ServiceError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        tx.run(
            "INSERT INTO got (arn, body, more) VALUES (:arn, :body, :more)",
            {"arn": arn, "body": body, "more": json.dumps(more)},
        )


class Outside:
    """URLs: each answers as a test says, 200 otherwise; an `OutgoingError` is raised instead."""

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self.answers: dict[str, list[int | OutgoingError]] = {}  # the last one stays
        self.held: dict[str, asyncio.Event] = {}
        self.under_way: dict[str, int] = {}
        self.most_under_way: dict[str, int] = {}
        self._news = asyncio.Event()

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        self._news.set()
        url = request.url
        self.under_way[url] = self.under_way.get(url, 0) + 1
        self.most_under_way[url] = max(self.most_under_way.get(url, 0), self.under_way[url])
        try:
            if url in self.held:
                await self.held[url].wait()
        finally:
            self.under_way[url] -= 1
        answers = self.answers.get(url, [200])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, OutgoingError):
            raise answer
        return Response(answer, (), b"")

    def to(self, url: str) -> list[Request]:
        return [one for one in self.sent if one.url == url]

    async def until(self, count: int, url: str | None = None) -> list[Request]:
        """The requests (to a URL), once there are `count`."""
        async with asyncio.timeout(20):
            while len(found := self.sent if url is None else self.to(url)) < count:
                self._news.clear()
                await self._news.wait()
        return found


class World:
    """A service of topics that runs, and all around it."""

    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.ready = SqlReadyQueue(store, clock, VAULT)
        self.local, self.outside = Local(), Outside()
        self.lines: list[LogLines] = []
        self.service = self.made()

    def made(self) -> TopicsService:
        return TopicsService(
            self.store, self.ready, self.local, self.local, self.outside, self.lines.extend, self.clock, VAULT
        )

    async def call(self, operation: str, context: RequestContext = CONTEXT, /, **request: Any) -> Any:
        return await self.service.operations[operation](context, request)

    async def topic(self, name: str = "t", tags: Any = (), **attributes: str) -> str:
        if name.endswith(".fifo"):
            attributes["FifoTopic"] = "true"
        made = await self.call("CreateTopic", Name=name, Attributes=attributes, Tags=list(tags))
        return str(made["TopicArn"])

    async def subscribe(self, topic: str, protocol: str, endpoint: str, **attributes: str) -> str:
        made = await self.call(
            "Subscribe",
            TopicArn=topic,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        return str(made["SubscriptionArn"])

    async def got(self, arn: str) -> list[tuple[str, Any]]:
        """What a queue or function has got, in order: bodies, and what came with them."""
        rows = await self.store.read(
            lambda reader: reader.all("SELECT body, more FROM got WHERE arn = :arn ORDER BY number", {"arn": arn})
        )
        return [(row[0], json.loads(row[1])) for row in rows]

    async def messages(self, arn: str) -> list[str]:
        """The messages in the documents, or events, that a queue or function has got."""
        found = []
        for body, _ in await self.got(arn):
            document = json.loads(body)
            found.append(document["Records"][0]["Sns"]["Message"] if "Records" in document else document["Message"])
        return found

    async def later(self, seconds: float) -> None:
        """Let time pass, and what waits for it look at the clock."""
        self.clock.advance(seconds)
        self.ready.clock_moved()


@contextlib.asynccontextmanager
async def running(service: TopicsService) -> AsyncIterator[None]:
    task = asyncio.create_task(service.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def world(open_store: OpenStore, clock: ManualClock) -> AsyncIterator[World]:
    store = await open_store("mayfly.services.topics")
    await store.write(lambda tx: tx.run(TABLE))
    made = World(store, clock)
    async with running(made.service):
        yield made


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with Subscriber() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()
