"""What running pipes do with records: each has its effect, what fails stays, nothing is lost when a process dies."""

import asyncio
import json
from typing import Any

import msgspec

from mayfly.services.contract import ServiceError
from mayfly.services.pipes.calls import FunctionFaultError
from tests.services.pipes.conftest import CONTEXT, FUNCTION, GROUP, HOME, ROLE, Stage, queue_arn


async def test_messages_go_from_queue_to_queue_and_leave_the_first(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    await stage.create(TargetParameters={"InputTemplate": "<$.body.name>"})
    await stage.send(source, *({"name": f"n{number}"} for number in range(25)))
    found = await stage.receive(target, 25)
    assert sorted(message["Body"] for message in found) == sorted(f"n{number}" for number in range(25))
    await stage.drained(source)
    assert await stage.held(target) == 0


async def test_without_a_template_the_target_gets_the_record(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    await stage.create()
    attribute = {"a": {"DataType": "String", "StringValue": "b"}}
    await stage.send(source, "hello", MessageAttributes=attribute)
    (message,) = await stage.receive(target)
    record = json.loads(message["Body"])
    assert record["body"] == "hello"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == queue_arn("in")
    assert record["messageAttributes"]["a"]["stringValue"] == "b"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"


async def test_what_no_pattern_matches_is_removed_and_goes_nowhere(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    criteria = {"FilterCriteria": {"Filters": [{"Pattern": '{"body": {"kind": ["good"]}}'}]}}
    await stage.create(SourceParameters=criteria, TargetParameters={"InputTemplate": "<$.body.id>"})
    await stage.send(source, {"kind": "bad", "id": "1"}, {"kind": "good", "id": "2"}, "no json")
    assert [message["Body"] for message in await stage.receive(target)] == ["2"]
    await stage.drained(source)


async def test_a_fifo_queue_is_piped_in_the_order_of_its_groups(stage: Stage) -> None:
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    source, target = await stage.make_queue("in.fifo", **fifo), await stage.make_queue("out.fifo", **fifo)
    parameters = {
        "InputTemplate": "<$.body>",
        "SqsQueueParameters": {"MessageGroupId": "$.attributes.MessageGroupId"},
    }
    await stage.create("in.fifo", "out.fifo", TargetParameters=parameters)
    for number in range(20):
        await stage.send(source, f"{number}", MessageGroupId=f"g{number % 3}")
    found = await stage.receive(target, 20)
    for group in range(3):
        mine = [int(message["Body"]) for message in found if message["Attributes"]["MessageGroupId"] == f"g{group}"]
        assert mine == sorted(mine)


async def test_a_function_gets_a_batch_and_says_what_failed(stage: Stage) -> None:
    source = await stage.make_queue("in", VisibilityTimeout="1")
    refused: set[str] = set()

    def function(batch: Any) -> Any:
        bad = [each for each in batch if each["body"] == "bad" and not refused]
        refused.update(each["messageId"] for each in bad)
        return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in bad]}

    stage.operations.function = function
    await stage.send(source, "good", "bad", "fine")
    await stage.create(Target=FUNCTION)
    await stage.drained(source)
    bodies = [each["body"] for batch in stage.operations.calls for each in batch]
    assert sorted(bodies) == ["bad", "bad", "fine", "good"]


async def test_what_a_function_fails_on_comes_again_and_ends_among_the_dead_letters(stage: Stage) -> None:
    dead = await stage.make_queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": 2})
    source = await stage.make_queue("in", VisibilityTimeout="1", RedrivePolicy=redrive)
    stage.operations.function = lambda batch: FunctionFaultError("FunctionError", "boom")
    await stage.create(Target=FUNCTION)
    await stage.send(source, "poison")
    assert [message["Body"] for message in await stage.receive(dead)] == ["poison"]
    assert len(stage.operations.calls) == 2


async def test_an_enrichment_answers_with_what_the_target_gets(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    stage.operations.function = lambda batch: [{"big": name.upper()} for name in batch for _ in range(2)]
    await stage.create(
        Enrichment=FUNCTION,
        EnrichmentParameters={"InputTemplate": "<$.body>"},
        TargetParameters={"InputTemplate": "<$.big>!"},
    )
    await stage.send(source, "a")
    assert [message["Body"] for message in await stage.receive(target, 2)] == ["A!", "A!"]
    await stage.drained(source)


async def test_an_empty_enrichment_ends_the_matter(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    stage.operations.function = lambda batch: []
    await stage.create(Enrichment=FUNCTION)
    await stage.send(source, "a")
    await stage.drained(source)
    assert await stage.held(target) == 0


async def test_a_log_group_gets_lines(stage: Stage) -> None:
    source = await stage.make_queue("in")
    parameters = {"InputTemplate": "<$.body>", "CloudWatchLogsParameters": {"LogStreamName": "s"}}
    await stage.create(Target=GROUP, TargetParameters=parameters)
    await stage.send(source, "line")
    await stage.drained(source)
    (put,) = stage.operations.lines
    assert (put["logGroupName"], put["logStreamName"]) == ("g", "s")
    assert [event["message"] for event in put["logEvents"]] == ["line"]


async def test_a_record_that_the_target_refuses_keeps_nobody_else_back(stage: Stage) -> None:
    source = await stage.make_queue("in", VisibilityTimeout="60")
    target = await stage.make_queue("out", MaximumMessageSize="1024")
    await stage.send(source, "x" * 2000, "small", "little")
    await stage.create(TargetParameters={"InputTemplate": "<$.body>"})
    found = await stage.receive(target, 2)
    assert sorted(message["Body"] for message in found) == ["little", "small"]
    assert await stage.held(source) == 1


async def test_a_process_that_dies_in_the_middle_loses_nothing(stage: Stage) -> None:
    source = await stage.make_queue("in", VisibilityTimeout="1")
    never = asyncio.Event()
    entered = asyncio.Event()
    original = stage.operations.call_json

    async def hang(*arguments: Any) -> dict[str, Any]:
        entered.set()
        await never.wait()
        raise AssertionError

    stage.operations.call_json = hang  # type: ignore[method-assign,assignment]
    await stage.create(Target=FUNCTION)
    await stage.send(source, "one")
    await entered.wait()
    await stage.die()
    assert await stage.held(source) == 1
    stage.operations.call_json = original  # type: ignore[method-assign]
    stage.open()
    await stage.drained(source)
    assert [each["body"] for batch in stage.operations.calls for each in batch] == ["one"]


async def test_records_are_held_for_as_long_as_a_function_takes(stage: Stage) -> None:
    source = await stage.make_queue("in", VisibilityTimeout="4")
    entered, release = asyncio.Event(), asyncio.Event()
    original = stage.operations.call_json

    async def slow(*arguments: Any) -> dict[str, Any]:
        entered.set()
        await release.wait()
        return await original(*arguments)

    stage.operations.call_json = slow  # type: ignore[method-assign,assignment]
    await stage.create(Target=FUNCTION)
    await stage.send(source, "one")
    await entered.wait()  # before, it could be received by whoever asks
    waited = await stage.sqs("ReceiveMessage", QueueUrl=source, WaitTimeSeconds=6)
    assert waited == {}
    release.set()
    await stage.drained(source)
    assert len(stage.operations.calls) == 1


async def test_a_log_says_what_became_of_executions(stage: Stage) -> None:
    source = await stage.make_queue("in", VisibilityTimeout="60")
    log = {"CloudwatchLogsLogDestination": {"LogGroupArn": GROUP}, "Level": "INFO", "IncludeExecutionData": ["ALL"]}
    stage.operations.function = lambda batch: ServiceError("Gone", "no function")
    await stage.create(Target=FUNCTION, LogConfiguration=log)
    await stage.send(source, "one")
    await stage.operations.called.wait()
    async with asyncio.timeout(30):
        while len(stage.records.lines) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    started, failed = stage.records.lines[:2]
    assert started["messageType"] == "ExecutionStarted"
    assert "one" in started["payload"]
    assert (failed["messageType"], failed["error"]["message"]) == ("ExecutionFailed", "no function")
    assert started["executionId"] == failed["executionId"]


async def test_a_role_that_trusts_no_more_lets_nothing_through(stage: Stage) -> None:
    source, target = await stage.make_queue("in", VisibilityTimeout="1"), await stage.make_queue("out")
    await stage.create(DesiredState="STOPPED")
    stage.identity.trusted = False
    await stage.die()
    stage.open()
    await stage.call("StartPipe", Name="p")
    await stage.send(source, "one")
    reply = await stage.sqs("ReceiveMessage", QueueUrl=target, WaitTimeSeconds=2)
    assert reply == {}
    stage.identity.trusted = True
    assert len(await stage.receive(target)) == 1


async def test_an_api_destination_gets_a_request_for_each_message(stage: Stage) -> None:
    source = await stage.make_queue("in")
    arn = f"arn:aws:events:us-east-1:{HOME.account}:api-destination/d/1"
    http = {
        "PathParameterValues": ["$.body.id"],
        "HeaderParameters": {"X-Kind": "order"},
        "QueryStringParameters": {"q": "$.body.nothing"},
    }
    await stage.create(Target=arn, TargetParameters={"InputTemplate": "<$.body>", "HttpParameters": http})
    await stage.send(source, {"id": "1"}, {"id": "2"})
    await stage.drained(source)
    assert sorted(stage.destinations.requests) == [
        (arn, f'{{"id":"{number}"}}'.encode(), [number], {"X-Kind": "order"}, {}) for number in ("1", "2")
    ]
    many = {"SqsQueueParameters": {"BatchSize": 2}}
    request = {"Name": "q", "Source": queue_arn("in"), "Target": arn, "RoleArn": ROLE, "SourceParameters": many}
    assert "larger than the 1 that enrichment and target take" in (await stage.refused("CreatePipe", **request))[1]


async def test_an_api_destination_enriches_message_by_message(stage: Stage) -> None:
    source, target = await stage.make_queue("in"), await stage.make_queue("out")
    arn = f"arn:aws:events:us-east-1:{HOME.account}:api-destination/d/1"
    stage.destinations.answer = b'{"price": 3}'
    await stage.create(
        Enrichment=arn,
        EnrichmentParameters={"HttpParameters": {"QueryStringParameters": {"id": "$.body.id"}}},
        TargetParameters={"InputTemplate": "<$.price>"},
    )
    await stage.send(source, {"id": "1"}, {"id": "2"})
    assert [message["Body"] for message in await stage.receive(target, 2)] == ["3", "3"]
    assert sorted(query["id"] for *_, query in stage.destinations.requests) == ["1", "2"]


async def test_what_follows_a_failure_in_its_group_waits_and_the_order_stays(stage: Stage) -> None:
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "1"}
    source = await stage.make_queue("in.fifo", **fifo)
    failed: list[str] = []
    taken: list[str] = []

    def function(batch: Any) -> Any:
        bad = [each["messageId"] for each in batch if each["body"] == "a1" and not failed]
        for each in batch:
            if bad and each["attributes"]["MessageGroupId"] == "a":
                continue  # from the failure on, the group is to come again
            taken.append(each["body"])
        failed.extend(bad)
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in bad]}

    stage.operations.function = function
    for body in ("a1", "b1", "a2", "b2"):
        await stage.send(source, body, MessageGroupId=body[0])
    await stage.create("in.fifo", Target=FUNCTION)
    await stage.drained(source)
    assert failed
    assert [body for body in taken if body[0] == "a"] == ["a1", "a2"]
    assert [body for body in taken if body[0] == "b"] == ["b1", "b2"]


async def test_a_queue_of_another_region_is_a_source_like_any_other(stage: Stage) -> None:
    context = msgspec.structs.replace(CONTEXT, region="eu-west-1")
    url = (await stage.queues.operations["CreateQueue"](context, {"QueueName": "far"}))["QueueUrl"]
    target = await stage.make_queue("out")
    await stage.create(Source=queue_arn("far").replace("us-east-1", "eu-west-1"))
    await stage.queues.operations["SendMessage"](context, {"QueueUrl": url, "MessageBody": "x"})
    (message,) = await stage.receive(target)
    assert json.loads(message["Body"])["awsRegion"] == "eu-west-1"
