"""What becomes of an asynchronous invocation's record, and of its event, at each kind of destination."""

import json
import re
from typing import Any

from mayfly.engine.api import Failure
from mayfly.ids import request_id
from mayfly.services.contract import Principal, RequestContext
from mayfly.services.ports import MessageAttribute
from tests.services.functions.stage import ACCOUNT, ARN, REGION, ROLE, Stage, failed, ok

QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:letters"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
ERROR = failed(Failure("raised", b'{"errorMessage": "no", "errorType": "E"}'))


async def run(stage: Stage, *, fails: bool, **settings: Any) -> None:
    """One event through the function f, whose settings are these."""
    await stage.create()
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0, **settings)
    await again(stage, fails=fails)


async def again(stage: Stage, *, fails: bool) -> None:
    stage.engine.script = lambda target, call: ERROR if fails else ok(b'"done"')
    await stage.call("Invoke", FunctionName="f", InvocationType="Event", Payload=b'{"n": 1}')
    await stage.drained()


async def messages(stage: Stage) -> list[dict[str, Any]]:
    held = await stage.queues.source.receive(QUEUE_ARN, 10, 0)
    return [dict(each.shown) for each in held]


async def make_queue(stage: Stage, name: str = "letters", **attributes: str) -> None:
    await stage.queues.operations["CreateQueue"](stage.context(), {"QueueName": name, "Attributes": attributes})


def to(kind: str, arn: str) -> dict[str, Any]:
    return {"DestinationConfig": {kind: {"Destination": arn}}}


async def test_a_queue_gets_the_record_as_the_body_of_a_message(stage: Stage) -> None:
    await make_queue(stage)
    await run(stage, fails=True, **to("OnFailure", QUEUE_ARN))
    [message] = await messages(stage)
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert (record["requestPayload"], record["responsePayload"]["errorMessage"]) == ({"n": 1}, "no")


async def test_a_topic_gets_the_record_as_what_is_published(stage: Stage) -> None:
    await run(stage, fails=False, **to("OnSuccess", TOPIC))
    [(arn, record, options)] = stage.topics.accepted
    assert (arn, json.loads(record)["responsePayload"], dict(options.attributes)) == (TOPIC, "done", {})


async def test_a_bus_gets_the_record_as_the_detail_of_an_event_of_lambda(stage: Stage) -> None:
    await run(stage, fails=True, **to("OnFailure", BUS))
    await stage.call("UpdateFunctionEventInvokeConfig", FunctionName="f", **to("OnSuccess", BUS))
    await again(stage, fails=False)
    for (arn, _, options), kind in zip(stage.buses.accepted, ("Failure", "Success"), strict=True):
        assert (arn, options.source) == (BUS, "lambda")
        assert options.detail_type == f"Lambda Function Invocation Result - {kind}"
        assert options.resources == (f"{ARN}f:$LATEST", BUS)


async def test_a_bucket_gets_an_object_for_each_failure_by_day(stage: Stage) -> None:
    root = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    context = RequestContext(request_id(), ACCOUNT, REGION, root, "http://127.0.0.1")
    await stage.objects.operations["CreateBucket"](context, {"Bucket": "letters"})
    await run(stage, fails=True, **to("OnFailure", "arn:aws:s3:::letters"))
    [found] = (await stage.objects.operations["ListObjectsV2"](context, {"Bucket": "letters"}))["Contents"]
    key = found["Key"]
    assert re.fullmatch(r"aws/lambda/async/f/2023/11/14/2023-11-14T22\.13\.20-[0-9a-f-]{36}", key)
    chunks = [chunk async for chunk in await stage.objects.open("letters", key, None)]
    assert json.loads(b"".join(chunks))["requestContext"]["condition"] == "RetriesExhausted"


async def test_what_a_destination_refuses_is_counted_and_kept_with_the_reason(stage: Stage) -> None:
    await make_queue(stage)
    await run(stage, fails=True, **to("OnFailure", QUEUE_ARN))
    url = (await stage.queues.operations["GetQueueUrl"](stage.context(), {"QueueName": "letters"}))["QueueUrl"]
    await stage.queues.operations["DeleteQueue"](stage.context(), {"QueueUrl": url})
    await again(stage, fails=True)
    [_, dead] = await stage.dead()
    assert dead.reason.startswith(f"RetriesExhausted; {QUEUE_ARN} refused it: ")
    assert stage.counts.totals["DestinationDeliveryFailures", (("FunctionName", "f"),)] == 1


async def test_a_bucket_that_has_gone_refuses_likewise(stage: Stage) -> None:
    root = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    context = RequestContext(request_id(), ACCOUNT, REGION, root, "http://127.0.0.1")
    await stage.objects.operations["CreateBucket"](context, {"Bucket": "letters"})
    await stage.create()
    await stage.call(
        "PutFunctionEventInvokeConfig",
        FunctionName="f",
        MaximumRetryAttempts=0,
        **to("OnFailure", "arn:aws:s3:::letters"),
    )
    await stage.objects.operations["DeleteBucket"](context, {"Bucket": "letters"})
    await again(stage, fails=True)
    [dead] = await stage.dead()
    assert "arn:aws:s3:::letters refused the record" in dead.reason


async def test_a_record_too_large_for_its_queue_comes_without_payloads(stage: Stage) -> None:
    await make_queue(stage, MaximumMessageSize="1024")
    await stage.create()
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", **to("OnSuccess", QUEUE_ARN))
    await stage.call("Invoke", FunctionName="f", InvocationType="Event", Payload=json.dumps("x" * 2000).encode())
    await stage.drained()
    [message] = await messages(stage)
    record = json.loads(message["Body"])
    assert record["responseContext"]["statusCode"] == 200
    assert "requestPayload" not in record
    assert "responsePayload" not in record


async def test_dead_letters_are_the_event_itself_and_say_why(stage: Stage) -> None:
    await make_queue(stage)
    created = await stage.create(DeadLetterConfig={"TargetArn": QUEUE_ARN})
    assert created["DeadLetterConfig"] == {"TargetArn": QUEUE_ARN}
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0, **to("OnFailure", TOPIC))
    await again(stage, fails=True)
    [message] = await messages(stage)
    assert message["Body"] == '{"n": 1}'
    said = {name: (each["DataType"], each["StringValue"]) for name, each in message["MessageAttributes"].items()}
    [(_, call)] = stage.engine.calls
    assert said == {
        "RequestID": ("String", call.request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no"),
    }
    assert len(stage.topics.accepted) == 1  # beside its destination


async def test_a_topic_of_dead_letters_is_told_the_same_in_message_attributes(stage: Stage) -> None:
    await stage.create(DeadLetterConfig={"TargetArn": TOPIC})
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
    await again(stage, fails=False)
    [(_, event, options)] = stage.topics.accepted
    assert event == b'{"n": 1}'
    assert options.attributes["ErrorCode"] == MessageAttribute("Number", "429")
    assert options.attributes["ErrorMessage"].value == "ZeroReservedConcurrency"
    assert stage.engine.calls == []


async def test_dead_letters_that_nobody_takes_are_counted_and_kept(stage: Stage) -> None:
    await stage.create(DeadLetterConfig={"TargetArn": TOPIC})
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0)
    stage.topics.gone.add(TOPIC)
    await again(stage, fails=True)
    [dead] = await stage.dead()
    assert dead.reason == f"RetriesExhausted; {TOPIC} refused it: {TOPIC} does not exist."
    assert stage.counts.totals["DeadLetterErrors", (("FunctionName", "f"),)] == 1


async def test_success_leaves_no_dead_letter(stage: Stage) -> None:
    await make_queue(stage)
    await stage.create(DeadLetterConfig={"TargetArn": QUEUE_ARN})
    await again(stage, fails=False)
    assert await messages(stage) == []


async def test_targets_of_dead_letters_are_checked(stage: Stage) -> None:
    for arn, message in (
        (f"arn:aws:sns:{REGION}:{ACCOUNT}:gone", "does not have permissions to call Publish on SNS"),
        (QUEUE_ARN, "does not have permissions to call SendMessage on SQS"),
        (BUS, "dead letters go to an Amazon SQS queue or an Amazon SNS topic"),
    ):
        error = await stage.refusal(
            "CreateFunction",
            FunctionName="f",
            Role=ROLE,
            Runtime="python3.11",
            Handler="a.b",
            Code={"ZipFile": b""},
            DeadLetterConfig={"TargetArn": arn},
        )
        assert message in error.message


async def test_an_empty_target_clears_dead_letters(stage: Stage) -> None:
    await stage.create(DeadLetterConfig={"TargetArn": TOPIC})
    changed = await stage.call("UpdateFunctionConfiguration", FunctionName="f", DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in changed
