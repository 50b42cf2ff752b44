"""Every operation in the former query protocol, through a botocore with the model that SQS had then."""

import json
import time
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from mayfly.wire.former_query import former_description
from tests.conftest import PlatformProcess


@pytest.fixture
def sqs(platform: PlatformProcess, tmp_path: Path) -> Any:
    """A client that speaks as those of 2012 to 2023 did."""
    today = Loader().load_service_model("sqs", "service-2")
    described = former_description("sqs", today)
    for name in ("protocols", "awsQueryCompatible", "jsonVersion", "targetPrefix"):
        described["metadata"].pop(name, None)
    model = tmp_path / "sqs" / "2012-11-05" / "service-2.json"
    model.parent.mkdir(parents=True)
    model.write_text(json.dumps(described))
    session = botocore.session.Session()
    loader = session.get_component("data_loader")
    loader.search_paths.insert(0, str(tmp_path))
    made: Any = session.create_client(
        "sqs",
        endpoint_url=platform.url,
        region_name=platform.region,
        aws_access_key_id=platform.access_key_id,
        aws_secret_access_key=platform.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}),
    )
    assert made.meta.service_model.metadata["protocol"] == "query"
    return made


def refusal(call: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_queues_are_made_described_changed_and_listed(sqs: Any) -> None:
    attributes = {"VisibilityTimeout": "40", "DelaySeconds": "0"}
    url = sqs.create_queue(QueueName="former", Attributes=attributes, tags={"a": "1"})["QueueUrl"]
    assert sqs.get_queue_url(QueueName="former")["QueueUrl"] == url
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["VisibilityTimeout"] == "40"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "50"})
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout", "QueueArn"])["Attributes"]
    assert found == {"VisibilityTimeout": "50", "QueueArn": "arn:aws:sqs:us-east-1:000000000000:former"}
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}
    sqs.add_permission(QueueUrl=url, Label="x", AWSAccountIds=["000000000000"], Actions=["SendMessage"])
    sqs.remove_permission(QueueUrl=url, Label="x")
    assert url in sqs.list_queues(QueueNamePrefix="former")["QueueUrls"]
    sqs.purge_queue(QueueUrl=url)
    assert refusal(lambda: sqs.purge_queue(QueueUrl=url)) == "AWS.SimpleQueueService.PurgeQueueInProgress"
    sqs.delete_queue(QueueUrl=url)
    assert refusal(lambda: sqs.get_queue_url(QueueName="former")) == "AWS.SimpleQueueService.NonExistentQueue"
    assert refusal(lambda: sqs.create_queue(QueueName="former")) == "AWS.SimpleQueueService.QueueDeletedRecently"
    assert refusal(lambda: sqs.create_queue(QueueName="a b")) == "InvalidParameterValue"


def test_messages_go_there_and_back_with_digests_that_botocore_checks(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="former-messages")["QueueUrl"]
    attributes = {
        "text": {"DataType": "String", "StringValue": "grüße & <more>"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sqs.send_message(QueueUrl=url, MessageBody="one <&> \r\n", MessageAttributes=attributes)
    entries = [
        {"Id": "a", "MessageBody": "two", "MessageAttributes": attributes},
        {"Id": "b", "MessageBody": "three", "DelaySeconds": 1000},
    ]
    reply = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [each["Id"] for each in reply["Successful"]] == ["a"]
    assert [(each["Id"], each["Code"]) for each in reply["Failed"]] == [("b", "InvalidParameterValue")]
    found = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
    )["Messages"]
    assert [message["Body"] for message in found] == ["one <&> \r\n", "two"]
    assert [message["MessageAttributes"] for message in found] == [attributes, attributes]
    assert found[0]["Attributes"]["ApproximateReceiveCount"] == "1"
    first, second = (message["ReceiptHandle"] for message in found)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first, VisibilityTimeout=60)
    changes = [{"Id": "a", "ReceiptHandle": second, "VisibilityTimeout": 60}]
    assert len(sqs.change_message_visibility_batch(QueueUrl=url, Entries=changes)["Successful"]) == 1
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first)
    gone = [{"Id": "a", "ReceiptHandle": second}, {"Id": "b", "ReceiptHandle": "nonsense"}]
    reply = sqs.delete_message_batch(QueueUrl=url, Entries=gone)
    assert [each["Id"] for each in reply["Successful"]] == ["a"]
    assert [each["Code"] for each in reply["Failed"]] == ["ReceiptHandleIsInvalid"]
    empty = "AWS.SimpleQueueService.EmptyBatchRequest"
    assert refusal(lambda: sqs.send_message_batch(QueueUrl=url, Entries=[])) == empty
    sqs.delete_queue(QueueUrl=url)


def test_dead_letters_come_back(sqs: Any) -> None:
    dead = sqs.create_queue(QueueName="former-dead")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:former-dead"
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = sqs.create_queue(QueueName="former-source", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    sqs.send_message(QueueUrl=url, MessageBody="one")
    assert len(sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]) == 1
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    task = sqs.start_message_move_task(SourceArn=arn)["TaskHandle"]
    deadline = time.monotonic() + 10
    while (shown := sqs.list_message_move_tasks(SourceArn=arn)["Results"][0])["Status"] == "RUNNING":
        assert time.monotonic() < deadline
    assert (shown["Status"], shown["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    assert refusal(lambda: sqs.cancel_message_move_task(TaskHandle=task)) == "InvalidParameterValue"
    assert len(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]) == 1
    for each in (url, dead):
        sqs.delete_queue(QueueUrl=each)
