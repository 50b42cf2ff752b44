"""Pipes as resources: made, changed, started, stopped, shown, listed, deleted, and refused."""

import asyncio
from typing import Any

import msgspec
import pytest

from mayfly.services.pipes import catalog
from mayfly.store.api import Tx
from tests.services.pipes.conftest import FUNCTION, HOME, ROLE, Stage, queue_arn

TABLE_STREAM = f"arn:aws:dynamodb:us-east-1:{HOME.account}:table/t/stream/2026-01-01T00:00:00.000"


async def test_a_pipe_goes_from_state_to_state(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    made = await stage.create(Description="d", Tags={"a": "b"})
    assert (made["Arn"], made["CurrentState"], made["DesiredState"]) == (HOME.arn("p"), "CREATING", "RUNNING")
    shown = await stage.call("DescribePipe", Name="p")
    assert shown["CurrentState"] == "RUNNING"
    assert shown["SourceParameters"] == {"SqsQueueParameters": {"BatchSize": 10}}
    assert (shown["Description"], shown["Tags"], shown["RoleArn"]) == ("d", {"a": "b"}, ROLE)
    assert (await stage.call("StopPipe", Name="p"))["CurrentState"] == "STOPPING"
    await stage.service.driver.settled("p")
    assert (await stage.call("DescribePipe", Name="p"))["CurrentState"] == "STOPPED"
    await stage.send(source, "waits")
    assert await stage.sqs("ReceiveMessage", QueueUrl=target, WaitTimeSeconds=1) == {}
    await stage.call("StartPipe", Name="p")
    assert len(await stage.receive(target)) == 1
    assert (await stage.call("DeletePipe", Name="p"))["DesiredState"] == "DELETED"
    await stage.service.driver.settled("p")
    assert await stage.refused("DescribePipe", Name="p") == ("NotFoundException", "Pipe p does not exist.")


async def test_an_update_is_in_force_for_the_next_messages(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    await stage.create(TargetParameters={"InputTemplate": "old"})
    await stage.call("UpdatePipe", Name="p", RoleArn=ROLE, TargetParameters={"InputTemplate": "new"})
    await stage.service.driver.settled("p")
    await stage.send(source, "x")
    assert [message["Body"] for message in await stage.receive(target)] == ["new"]
    assert (await stage.call("DescribePipe", Name="p"))["Target"] == queue_arn("out")


async def test_what_runs_runs_again_after_a_restart(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    await stage.create()
    await stage.die()
    await stage.send(source, "meanwhile")
    stage.open()
    assert len(await stage.receive(target)) == 1


async def test_what_was_under_way_when_a_process_died_is_finished_by_the_next(stage: Stage) -> None:
    await stage.make_queue("in")
    await stage.make_queue("out")
    await stage.die()  # nobody applies what is asked for now
    await stage.call("CreatePipe", Name="p", Source=queue_arn("in"), Target=queue_arn("out"), RoleArn=ROLE)
    assert (await stage.call("DescribePipe", Name="p"))["CurrentState"] == "CREATING"
    assert (await stage.refused("StopPipe", Name="p"))[0] == "ConflictException"
    stage.open()
    async with asyncio.timeout(30):
        while (await stage.call("DescribePipe", Name="p"))["CurrentState"] != "RUNNING":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_lists_are_in_pages_and_filtered(stage: Stage) -> None:
    await stage.make_queue("in")
    await stage.make_queue("out")
    for name in ("b", "a", "ab"):
        await stage.create(Name=name, DesiredState="STOPPED")
    page = await stage.call("ListPipes", Limit=2)
    rest = await stage.call("ListPipes", Limit=2, NextToken=page["NextToken"])
    assert [pipe["Name"] for pipe in (*page["Pipes"], *rest["Pipes"])] == ["a", "ab", "b"]
    assert [pipe["Name"] for pipe in (await stage.call("ListPipes", NamePrefix="a"))["Pipes"]] == ["a", "ab"]
    assert len((await stage.call("ListPipes", SourcePrefix=queue_arn("in"), CurrentState="STOPPED"))["Pipes"]) == 3
    assert (await stage.call("ListPipes", TargetPrefix="arn:aws:lambda"))["Pipes"] == []
    assert (await stage.refused("ListPipes", NextToken="?"))[0] == "ValidationException"


async def test_pipes_have_tags(stage: Stage) -> None:
    await stage.make_queue("in")
    await stage.make_queue("out")
    arn = (await stage.create(DesiredState="STOPPED"))["Arn"]
    await stage.call("TagResource", resourceArn=arn, tags={"a": "1", "b": "2"})
    await stage.call("UntagResource", resourceArn=arn, tagKeys=["a"])
    assert await stage.call("ListTagsForResource", resourceArn=arn) == {"tags": {"b": "2"}}
    assert (await stage.refused("ListTagsForResource", resourceArn=f"{arn}x"))[0] == "NotFoundException"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Source": queue_arn("nothing")}, "cannot be read"),
        ({"Source": TABLE_STREAM}, "Mayfly has no sources like"),
        ({"Source": queue_arn("in").replace(HOME.account, "111111111111")}, "another account"),
        ({"Target": f"arn:aws:kinesis:us-east-1:{HOME.account}:stream/s"}, "does not implement"),
        ({"Enrichment": f"arn:aws:execute-api:us-east-1:{HOME.account}:a/s/GET/p"}, "does not implement"),
        ({"Enrichment": f"arn:aws:states:us-east-1:{HOME.account}:stateMachine:m"}, "StartSyncExecution"),
        ({"RoleArn": "arn:aws:iam::000000000000:role/other"}, "must allow pipes.amazonaws.com"),
        ({"SourceParameters": {"KinesisStreamParameters": {}}}, "KinesisStreamParameters cannot be specified"),
        ({"SourceParameters": {"SqsQueueParameters": {"BatchSize": 50}}}, "MaximumBatchingWindowInSeconds"),
        (
            {"SourceParameters": {"SqsQueueParameters": {"BatchSize": 50, "MaximumBatchingWindowInSeconds": 1}}},
            "larger than the 10 that enrichment and target take",
        ),
        ({"SourceParameters": {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}}, "Event pattern is not valid"),
        ({"Target": queue_arn("out.fifo")}, "MessageGroupId must be specified"),
        ({"TargetParameters": {"LambdaFunctionParameters": {}}}, "LambdaFunctionParameters cannot be specified"),
        ({"LogConfiguration": {"Level": "INFO"}}, "needs a log destination"),
    ],
)
async def test_a_pipe_that_cannot_run_is_refused(stage: Stage, more: dict[str, Any], message: str) -> None:
    await stage.make_queue("in")
    request = {"Name": "p", "Source": queue_arn("in"), "Target": queue_arn("out"), "RoleArn": ROLE, **more}
    code, found = await stage.refused("CreatePipe", **request)
    assert code == "ValidationException"
    assert message in found


async def test_a_name_is_given_once(stage: Stage) -> None:
    await stage.make_queue("in")
    await stage.create(Target=FUNCTION)
    request = {"Name": "p", "Source": queue_arn("in"), "Target": FUNCTION, "RoleArn": ROLE}
    assert await stage.refused("CreatePipe", **request) == ("ConflictException", "Pipe p already exists.")
    assert (await stage.refused("StartPipe", Name="p"))[0] == "ConflictException"
    assert (await stage.refused("StartPipe", Name="q"))[0] == "NotFoundException"


async def test_a_runner_that_breaks_is_started_again(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    receive = stage.queues.source.receive
    broken = asyncio.Event()

    async def fail(*arguments: Any) -> Any:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("a fault of ours")
        return await receive(*arguments)

    stage.queues.source.receive = fail  # type: ignore[method-assign,assignment]
    await stage.create()
    await stage.send(source, "one")
    assert len(await stage.receive(target)) == 1
    assert "pipe p stopped running" in caplog.text


async def test_a_pipe_that_cannot_run_any_more_says_why_and_can_be_repaired(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    await stage.create(DesiredState="STOPPED")

    def spoil(tx: Tx) -> None:  # as a version would have left it that took other patterns
        pipe = catalog.existing(tx, "p")
        parameters = {"FilterCriteria": {"Filters": [{"Pattern": '{"a": [{"unheard-of": 1}]}'}]}}
        catalog.put(tx, msgspec.structs.replace(pipe, source_parameters=parameters))

    await stage.store.write(spoil)
    await stage.call("StartPipe", Name="p")
    await stage.service.driver.settled("p")
    shown = await stage.call("DescribePipe", Name="p")
    assert shown["CurrentState"] == "START_FAILED"
    assert "Event pattern is not valid" in shown["StateReason"]
    await stage.call("UpdatePipe", Name="p", RoleArn=ROLE, SourceParameters={})
    await stage.send(source, "one")
    assert len(await stage.receive(target)) == 1
