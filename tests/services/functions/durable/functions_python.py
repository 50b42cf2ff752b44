"""Durable functions as somebody writes them for AWS, on the SDK that AWS publishes. Deployed by tests, never imported
by them: `do` in the event says which of the operations a handler uses."""

import os
import time
from typing import Any

import boto3
from aws_durable_execution_sdk_python import (
    BatchResult,
    DurableContext,
    StepContext,
    durable_execution,
    durable_step,
)
from aws_durable_execution_sdk_python.config import (
    Duration,
    MapConfig,
    StepConfig,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)

QUICKLY = create_retry_strategy(
    RetryStrategyConfig(max_attempts=3, initial_delay=Duration.from_seconds(1), max_delay=Duration.from_seconds(1))
)


def mark(event: Any, key: str) -> int:
    """Leave a mark where no instance can lose it; how many there are."""
    table = boto3.resource("dynamodb").Table(event["table"])
    changed: Any = table.update_item(
        Key={"id": key},
        UpdateExpression="ADD marks :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    return int(changed["Attributes"]["marks"])


def marked(event: Any, key: str) -> bool:
    return "Item" in boto3.resource("dynamodb").Table(event["table"]).get_item(Key={"id": key})


@durable_step
def add(step: StepContext, a: int, b: int) -> int:
    step.logger.info("adding")
    return a + b


def three_steps(event: Any, context: DurableContext) -> Any:
    total = context.step(add(1, 2))
    total = context.step(add(total, 3))
    return context.step(add(total, event.get("last", 4)))


def flaky(event: Any, context: DurableContext) -> Any:
    def attempt(step: StepContext) -> int:
        count = mark(event, event["key"])
        if count < event["until"]:
            raise ValueError(f"attempt {count}")
        return count

    return context.step(attempt, name="flaky", config=StepConfig(retry_strategy=QUICKLY))


def waiting(event: Any, context: DurableContext) -> Any:
    context.logger.warning(f"before the wait {event.get('mark')}")
    context.wait(Duration.from_seconds(event["seconds"]), name="rest")
    context.logger.warning(f"after the wait {event.get('mark')}")
    return "rested"


def approval(event: Any, context: DurableContext) -> Any:
    def submit(callback_id: str, step: Any) -> None:
        step.logger.info(f"callback {callback_id}")

    config = WaitForCallbackConfig(
        timeout=Duration.from_seconds(event.get("timeout", 60)),
        heartbeat_timeout=Duration.from_seconds(event.get("heartbeat", 0)),
    )
    return context.wait_for_callback(submit, name="approval", config=config)


def polling(event: Any, context: DurableContext) -> Any:
    def check(state: int, step: Any) -> int:
        return state + 1

    strategy: Any = create_wait_strategy(
        WaitStrategyConfig(
            should_continue_polling=lambda state: state < 3,
            initial_delay=Duration.from_seconds(1),
            max_delay=Duration.from_seconds(1),
        )
    )
    config = WaitForConditionConfig(wait_strategy=strategy, initial_state=0)
    return context.wait_for_condition(check, config=config, name="poll")


def branches(event: Any, context: DurableContext) -> Any:
    def slow(branch: DurableContext) -> str:
        branch.wait(Duration.from_seconds(1))
        return branch.step(lambda step: "slow", name="slow")

    def quick(branch: DurableContext) -> str:
        return branch.step(lambda step: "quick", name="quick")

    result: BatchResult[Any] = context.parallel([slow, quick], name="both")
    return result.get_results()


def mapping(event: Any, context: DurableContext) -> Any:
    def square(item: DurableContext, value: int, index: int, items: Any) -> int:
        return item.step(lambda step: value * value, name=f"square-{index}")

    result: BatchResult[Any] = context.map(event["values"], square, name="squares", config=MapConfig(max_concurrency=3))
    return result.get_results()


def nested(event: Any, context: DurableContext) -> Any:
    def child(inner: DurableContext) -> int:
        return inner.step(lambda step: 20, name="twenty") + inner.step(lambda step: 22, name="twenty-two")

    return context.run_in_child_context(child, name="child")


def chained(event: Any, context: DurableContext) -> Any:
    return context.invoke(event["function"], event["payload"], name="chained")


def raising(event: Any, context: DurableContext) -> Any:
    raise KeyError("nothing here")


def crashing(event: Any, context: DurableContext) -> Any:
    context.step(lambda step: 1, name="one")
    os._exit(3)


def large(event: Any, context: DurableContext) -> Any:
    """More state than one invocation is given."""
    sizes = [len(context.step(lambda step: "x" * 700_000, name=f"large-{at}")) for at in range(event["steps"])]
    context.wait(Duration.from_seconds(1))
    return sum(sizes)


def held(event: Any, context: DurableContext) -> Any:
    """Steps that leave marks; the second waits for a mark of somebody else, who may kill the server meanwhile."""
    key = event["key"]
    context.step(lambda step: mark(event, f"{key}-first"), name="first")

    def wait_for_mark(step: Any) -> str:
        mark(event, f"{key}-second")
        while not marked(event, f"{key}-go"):
            time.sleep(0.05)
        return "second"

    context.step(wait_for_mark, name="second")
    context.step(lambda step: mark(event, f"{key}-third"), name="third")
    return "done"


WORK = {
    function.__name__: function
    for function in (
        three_steps,
        flaky,
        waiting,
        approval,
        polling,
        branches,
        mapping,
        nested,
        chained,
        raising,
        crashing,
        large,
        held,
    )
}


@durable_execution
def handler(event: Any, context: DurableContext) -> Any:
    return WORK[event["do"]](event, context)


def plain(event: Any, context: Any) -> Any:
    """Not durable: what others chain to."""
    if event.get("raise"):
        raise RuntimeError(event["raise"])
    return {"got": event}
