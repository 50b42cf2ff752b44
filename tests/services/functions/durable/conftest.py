"""A durable function whose part a test plays: it checkpoints through the operations, as an SDK would, and answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mayfly.engine.api import Outcome
from tests.services.functions.stage import ARN, Stage, ok

PENDING: dict[str, Any] = {"Status": "PENDING"}


@dataclass
class Invoked:
    """One invocation, as the function sees it."""

    stage: Stage
    event: dict[str, Any]

    def __post_init__(self) -> None:
        self.token = self.event["CheckpointToken"]

    @property
    def arn(self) -> str:
        found: str = self.event["DurableExecutionArn"]
        return found

    @property
    def operations(self) -> dict[str, Any]:
        """What it is told of its operations, by their ids."""
        return {each["Id"]: each for each in self.event["InitialExecutionState"]["Operations"]}

    async def checkpoint(self, *updates: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Checkpoint with the current token, and go on with the next."""
        reply: dict[str, Any] = await self.stage.call(
            "CheckpointDurableExecution",
            **{"DurableExecutionArn": self.arn, "CheckpointToken": self.token, "Updates": list(updates), **more},
        )
        self.token = reply.get("CheckpointToken")
        return reply


Script = Callable[[Invoked], Awaitable[dict[str, Any] | Outcome | BaseException]]


@dataclass
class Player:
    """Plays the function: each invocation takes the next of `scripts`."""

    stage: Stage
    scripts: list[Script] = field(default_factory=list)
    invoked: list[Invoked] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.play()

    def play(self) -> None:
        """Be the function, whoever was it before."""
        self.stage.engine.before = self._play
        self.stage.engine.script = lambda target, call: self.answers.pop(call.request_id)

    async def _play(self) -> None:
        _, call = self.stage.engine.calls[-1]
        invoked = Invoked(self.stage, json.loads(call.payload))
        self.invoked.append(invoked)
        answer = await self.scripts.pop(0)(invoked)
        self.answers[call.request_id] = ok(json.dumps(answer).encode()) if isinstance(answer, dict) else answer

    async def begin(self, payload: bytes = b"{}", **more: Any) -> str:
        """Start an execution and do not wait for it: its ARN."""
        params = {"FunctionName": "f", "Qualifier": "$LATEST", "InvocationType": "Event", "Payload": payload, **more}
        reply = await self.stage.call("Invoke", **params)
        assert reply["StatusCode"] == 202
        arn: str = reply["DurableExecutionArn"]
        return arn

    async def become(self, arn: str, *statuses: str) -> dict[str, Any]:
        """The execution once it has one of the statuses."""
        found: dict[str, Any] = await self._until(lambda shown: shown["Status"] in statuses, "GetDurableExecution", arn)
        return found

    async def happens(self, arn: str, kind: str, times: int = 1) -> list[str]:
        """The history's types once `kind` is in it so many times."""
        found = await self._until(
            lambda shown: [each["EventType"] for each in shown["Events"]].count(kind) >= times,
            "GetDurableExecutionHistory",
            arn,
        )
        return [each["EventType"] for each in found["Events"]]

    async def _until(self, holds: Callable[[Any], bool], operation: str, arn: str) -> Any:
        async with asyncio.timeout(60):
            while True:
                found = await self.stage.call(operation, DurableExecutionArn=arn)
                if holds(found):
                    return found
                await asyncio.sleep(0)  # the store's threads are at work

    async def history(self, arn: str) -> list[dict[str, Any]]:
        found = await self.stage.call("GetDurableExecutionHistory", DurableExecutionArn=arn)
        events: list[dict[str, Any]] = found["Events"]
        return events


@pytest.fixture
async def player(stage: Stage) -> Player:
    """Plays the function `f`, which is durable."""
    await stage.create("f", DurableConfig={"ExecutionTimeout": 600, "RetentionPeriodInDays": 1})
    return Player(stage)


def step(action: str, identifier: str = "s1", **more: Any) -> dict[str, Any]:
    return {"Id": identifier, "Type": "STEP", "SubType": "Step", "Name": "work", "Action": action, **more}


def wait(seconds: int, identifier: str = "w1", **more: Any) -> dict[str, Any]:
    options = {"WaitSeconds": seconds}
    return {"Id": identifier, "Type": "WAIT", "SubType": "Wait", "Action": "START", "WaitOptions": options, **more}


def callback(**options: int) -> dict[str, Any]:
    return {"Id": "c1", "Type": "CALLBACK", "Action": "START", "CallbackOptions": options}


def context(action: str, identifier: str = "x1", **more: Any) -> dict[str, Any]:
    return {"Id": identifier, "Type": "CONTEXT", "Action": action, **more}


def invoke(function: str, identifier: str = "i1", **more: Any) -> dict[str, Any]:
    options = {"FunctionName": function}
    return {"Id": identifier, "Type": "CHAINED_INVOKE", "Action": "START", "ChainedInvokeOptions": options, **more}


def succeeded(result: Any) -> dict[str, Any]:
    return {"Status": "SUCCEEDED", "Result": json.dumps(result)}


async def finish(invoked: Invoked) -> dict[str, Any]:
    """A function that is done."""
    return succeeded("done")


FUNCTION = f"{ARN}f"
