"""Requests that the platform itself sends to its services: by path, by action, as forms; what comes back."""

import json
from typing import Any

import pytest

from mayfly.services.contract import HttpRequest, HttpResponse, Principal, ServiceError
from mayfly.wire.service_requests import ServiceRequests

from .platform import MODELS, Recorder, gateway

ROLE = Principal("assumed-role", "000000000000", "arn:aws:sts::000000000000:assumed-role/r/s", "AROA:s")


class _Whole:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length: int | None = len(content)

    async def __aiter__(self) -> Any:
        yield self._content


def request(method: str, path: str, query: str = "", body: bytes = b"", **headers: str) -> HttpRequest:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HttpRequest(
        method, path, query, named, _Whole(body), "127.0.0.1:4566", "127.0.0.1", "request-1", content=body
    )


async def send(service: Recorder, sent: HttpRequest, action: str | None = None, name: str = "") -> HttpResponse:
    requests = ServiceRequests(gateway(service), [service.name], MODELS)
    return await requests.send(sent, ROLE, name or service.name, "eu-west-1", action)


FORM = "application/x-www-form-urlencoded"


async def test_a_form_to_the_path_of_a_queue_is_answered_in_json() -> None:
    service = Recorder("sqs", {"SendMessage": {"MessageId": "m", "MD5OfMessageBody": "x"}})
    body = b'Action=SendMessage&MessageBody={"some": "value"}'
    reply = await send(service, request("POST", "/000000000000/q", body=body, content_type=FORM))
    assert service.calls[0][0] == "SendMessage"
    assert service.calls[0][1]["MessageBody"] == '{"some": "value"}'
    assert service.calls[0][1]["QueueUrl"].endswith("/000000000000/q")
    assert (service.contexts[0].principal, service.contexts[0].region) == (ROLE, "eu-west-1")
    assert isinstance(reply.body, bytes)
    told = json.loads(reply.body)["SendMessageResponse"]
    assert told["SendMessageResult"]["MessageId"] == "m"
    assert told["SendMessageResult"]["SequenceNumber"] is None
    assert told["ResponseMetadata"] == {"RequestId": "request-1"}


async def test_messages_of_a_queue_are_called_messages_in_json() -> None:
    message = {"MessageId": "m", "Body": "b", "Attributes": {"SenderId": "s"}}
    service = Recorder("sqs", {"ReceiveMessage": {"Messages": [message]}})
    reply = await send(service, request("GET", "/000000000000/q", "Action=ReceiveMessage"))
    assert isinstance(reply.body, bytes)
    found = json.loads(reply.body)["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"][0]
    assert (found["Body"], found["MessageAttributes"]) == ("b", None)
    assert found["Attributes"] == [{"Name": "SenderId", "Value": "s"}]


async def test_an_action_is_put_where_the_protocol_of_the_service_has_it() -> None:
    tables = Recorder("dynamodb", {"PutItem": {}})
    item = b'{"TableName": "table", "Item": {"k": {"S": "v"}}}'
    reply = await send(tables, request("POST", "/", body=item, content_type="application/json"), "PutItem")
    assert (reply.status, tables.calls[0][0]) == (200, "PutItem")
    topics = Recorder("sns", {"Publish": {"MessageId": "m"}})
    reply = await send(
        topics, request("POST", "/", "TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A0%3At&Message=hi"), "Publish"
    )
    assert topics.calls == [("Publish", {"TopicArn": "arn:aws:sns:eu-west-1:0:t", "Message": "hi"})]
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body)["PublishResponse"]["PublishResult"]["MessageId"] == "m"


async def test_xml_is_given_to_who_asks_for_it() -> None:
    topics = Recorder("sns", {"Publish": {"MessageId": "m"}})
    sent = request("POST", "/", "TopicArn=t&Message=hi", accept="text/xml")
    reply = await send(topics, sent, "Publish")
    assert isinstance(reply.body, bytes)
    assert reply.body.startswith(b"<PublishResponse")


async def test_a_refusal_is_json_with_the_status_of_the_service() -> None:
    service = Recorder("sqs", {"SendMessage": ServiceError("QueueDoesNotExist", "There is none.")})
    body = b"Action=SendMessage&MessageBody=x"
    reply = await send(service, request("POST", "/000000000000/q", body=body, content_type=FORM))
    assert reply.status == 400
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body)["Error"] == {
        "Code": "AWS.SimpleQueueService.NonExistentQueue",
        "Message": "There is none.",
        "Type": "Sender",
    }


async def test_objects_are_reached_by_their_paths() -> None:
    service = Recorder("s3", {"DeleteObject": {}})
    reply = await send(service, request("DELETE", "/bucket/a/b%20c"))
    assert reply.status == 204
    assert service.calls == [("DeleteObject", {"Bucket": "bucket", "Key": "a/b c"})]


async def test_services_are_known_by_their_endpoints_names_and_unknown_ones_refused() -> None:
    service = Recorder("cloudwatch", {"PutMetricData": {}})
    requests = ServiceRequests(gateway(service), [service.name], MODELS)
    assert requests.knows("monitoring")
    assert not requests.knows("kinesis")
    with pytest.raises(ServiceError, match="kinesis"):
        await requests.send(request("POST", "/"), ROLE, "kinesis", "us-east-1", "PutRecord")
    with pytest.raises(ServiceError, match="no actions"):
        await send(Recorder("lambda", {"Invoke": {}}), request("POST", "/"), "Invoke")
