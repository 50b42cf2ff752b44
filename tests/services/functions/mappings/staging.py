"""A `Stage` with queues, mappings between them, and functions as tests write them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from mayfly.engine.api import Call, Outcome, Target
from mayfly.services.contract import Principal, RequestContext
from tests.services.functions.stage import ACCOUNT, REGION, Stage, ok

CALLER = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


class MappingStage:
    """Everything a test needs."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.batches: list[list[dict[str, Any]]] = []  # that the function was called with
        self.called = asyncio.Event()
        self.answer: Callable[[list[dict[str, Any]]], Any] = lambda records: None
        stage.engine.script = self._script

    def _script(self, target: Target, call: Call) -> Outcome | BaseException:
        records = json.loads(call.payload)["Records"]
        self.batches.append(records)
        self.called.set()
        answer = self.answer(records)
        if isinstance(answer, Outcome | BaseException):
            return answer
        return ok(json.dumps(answer).encode())

    async def queue(self, operation: str, **params: Any) -> Any:
        """The reply of an operation of queues."""
        context = RequestContext("request-1", ACCOUNT, REGION, CALLER, "http://127.0.0.1:4566")
        return await self.stage.queues.operations[operation](context, params)

    async def make_queue(self, name: str = "q", **attributes: str) -> str:
        if name.endswith(".fifo"):
            attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", **attributes}
        await self.queue("CreateQueue", QueueName=name, Attributes=attributes)
        return name

    async def send(self, *bodies: str, queue: str = "q", **more: Any) -> None:
        for body in bodies:
            await self.queue("SendMessage", QueueUrl=self.url(queue), MessageBody=body, **more)

    async def left(self, queue: str = "q") -> int:
        """How many messages there are, visible or not."""
        reply = await self.queue("GetQueueAttributes", QueueUrl=self.url(queue), AttributeNames=["All"])
        found = reply["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    def url(self, queue: str) -> str:
        return f"http://127.0.0.1:4566/{ACCOUNT}/{queue}"

    async def map(self, **params: Any) -> Any:
        """A mapping of the queue `q` for the function `f`, with `params` over that."""
        asked = {"FunctionName": "f", "EventSourceArn": queue_arn("q"), **params}
        return await self.stage.call("CreateEventSourceMapping", **asked)

    async def settled(self, uuid: str) -> None:
        """Return once the mapping is where it was going."""
        await self._until(lambda shown: shown is None or shown["State"] in ("Enabled", "Disabled"), uuid)

    async def state(self, uuid: str, state: str) -> None:
        await self._until(lambda shown: shown is not None and shown["State"] == state, uuid)

    async def gone(self, uuid: str) -> None:
        await self._until(lambda shown: shown is None, uuid)

    async def _until(self, holds: Callable[[Any], bool], uuid: str) -> None:
        async with asyncio.timeout(30):
            while True:
                page = await self.stage.call("ListEventSourceMappings")
                found = {each["UUID"]: each for each in page["EventSourceMappings"]}
                if holds(found.get(uuid)):
                    return
                await asyncio.sleep(0)

    async def batches_of(self, count: int) -> list[list[dict[str, Any]]]:
        """The batches so far, once there are `count`."""
        async with asyncio.timeout(30):
            while len(self.batches) < count:
                self.called.clear()
                await self.called.wait()
        return self.batches

    async def emptied(self, queue: str = "q") -> None:
        """Return once nothing is left in a queue."""
        async with asyncio.timeout(30):
            while True:
                if not await self.left(queue):
                    return
                await asyncio.sleep(0)
