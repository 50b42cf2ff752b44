"""Queues through boto3 and in the former protocol, against a running platform."""

import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess

Client = Callable[..., Any]


@pytest.fixture
def sqs(client: Client) -> Any:
    return client("sqs", max_pool_connections=20)


@pytest.fixture
def queue(sqs: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a queue of the test's own."""
    url: str = sqs.create_queue(QueueName=request.node.name[:80])["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def form(platform: PlatformProcess, path: str, **params: str) -> str:
    """The body of the reply to a signed request in the former protocol."""
    body = urllib.parse.urlencode({"Version": "2012-11-05", **params}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", f"{platform.url}{path}", headers=headers, data=body)
    SigV4Auth(Credentials(platform.access_key_id, platform.secret_access_key), "sqs", platform.region).add_auth(request)
    sent = urllib.request.Request(f"{platform.url}{path}", body, dict(request.headers.items()), method="POST")
    try:
        with urllib.request.urlopen(sent, timeout=10) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())


def test_boto3_checks_every_digest_of_a_round_trip(sqs: Any, queue: str) -> None:
    attributes = {
        "text": {"DataType": "String.kind", "StringValue": "ü"},
        "number": {"DataType": "Number", "StringValue": "-1.5e3"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    sqs.send_message(QueueUrl=queue, MessageBody="one", MessageAttributes=attributes, MessageSystemAttributes=trace)
    (message,) = sqs.receive_message(
        QueueUrl=queue, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )["Messages"]
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["AWSTraceHeader"] == trace["AWSTraceHeader"]["StringValue"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_errors_have_their_former_codes_and_todays_classes(sqs: Any) -> None:
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.get_queue_url(QueueName="nowhere")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    with pytest.raises(ClientError) as invalid:
        sqs.create_queue(QueueName="a b")
    assert invalid.value.response["Error"]["Code"] == "InvalidParameterValue"


def test_a_waiting_receiver_gets_what_is_sent(sqs: Any, queue: str) -> None:
    found: list[Any] = []

    def receive() -> None:
        found.extend(sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"])

    receiver = threading.Thread(target=receive)
    receiver.start()
    sqs.send_message(QueueUrl=queue, MessageBody="one")
    receiver.join(10)
    assert [message["Body"] for message in found] == ["one"]


def test_the_former_protocol_works_at_the_queues_own_url(platform: PlatformProcess, queue: str) -> None:
    path = urllib.parse.urlsplit(queue).path
    entry = "SendMessageBatchRequestEntry"
    sent = form(
        platform,
        path,
        Action="SendMessageBatch",
        **{
            f"{entry}.1.Id": "a",
            f"{entry}.1.MessageBody": "one & two",
            f"{entry}.1.MessageAttribute.1.Name": "kind",
            f"{entry}.1.MessageAttribute.1.Value.DataType": "String",
            f"{entry}.1.MessageAttribute.1.Value.StringValue": "x",
            f"{entry}.2.Id": "b",
            f"{entry}.2.MessageBody": "three",
            f"{entry}.2.DelaySeconds": "901",
        },
    )
    assert "<SendMessageBatchResultEntry><Id>a</Id>" in sent
    assert "<BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault>" in sent
    received = form(
        platform, path, Action="ReceiveMessage", **{"AttributeName.1": "All", "MessageAttributeName.1": "All"}
    )
    assert "<Body>one &amp; two</Body>" in received
    assert "<Attribute><Name>SenderId</Name>" in received
    assert "<MessageAttribute><Name>kind</Name><Value>" in received
    refused = form(platform, "/", Action="GetQueueUrl", QueueName="nowhere")
    assert "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in refused
    assert "<Code>MissingParameter</Code>" in form(platform, path, Action="SendMessage")
