"""Sample events: their fields, and that what reads events of AWS reads them."""

import base64
import contextlib
import gzip
import importlib
import json
import string
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.cli.samples.catalogue import KINDS, SampleError, fields, kind_of, sample, summary
from mayfly.cli.samples.place import Place
from mayfly.services.functions.mappings.shapes import DynamoDbShape, KinesisShape
from mayfly.services.ports import ShardRecord
from tests.cli.samples.shape import shape

MODELS = {
    "alb": "AlbModel",
    "apigateway:authorizer": "ApiGatewayAuthorizerToken",
    "apigateway:authorizer-v2": "ApiGatewayAuthorizerRequestV2",
    "apigateway:v1": "APIGatewayProxyEventModel",
    "apigateway:v2": "APIGatewayProxyEventV2Model",
    "apigateway:websocket": "APIGatewayWebSocketMessageEventModel",
    "cloudformation": "CloudFormationCustomResourceCreateModel",
    "cloudwatch-logs": "CloudWatchLogsModel",
    "cognito": "CognitoPreSignupTriggerModel",
    "dynamodb": "DynamoDBStreamModel",
    "eventbridge": "EventBridgeModel",
    "firehose": "KinesisFirehoseModel",
    "kafka": "KafkaMskEventModel",
    "kafka:self-managed": "KafkaSelfManagedEventModel",
    "kinesis": "KinesisDataStreamModel",
    "s3:delete": "S3Model",
    "s3:put": "S3Model",
    "schedule": "EventBridgeModel",
    "ses": "SesModel",
    "sns": "SnsModel",
    "sqs": "SqsModel",
    "url": "LambdaFunctionUrlModel",
}
VARIANTS = [
    ("apigateway:websocket", "event=CONNECT", "APIGatewayWebSocketConnectEventModel"),
    ("apigateway:websocket", "event=DISCONNECT", "APIGatewayWebSocketDisconnectEventModel"),
    ("apigateway:v1", "body={}", "APIGatewayProxyEventModel"),
    ("apigateway:v2", "query=a=1&b=2", "APIGatewayProxyEventV2Model"),
    ("cloudformation", "request=Update", "CloudFormationCustomResourceUpdateModel"),
    ("cloudformation", "request=Delete", "CloudFormationCustomResourceDeleteModel"),
    ("cognito", "trigger=PostConfirmation_ConfirmSignUp", "CognitoPostConfirmationTriggerModel"),
    ("cognito", "trigger=PreAuthentication_Authentication", "CognitoPreAuthenticationTriggerModel"),
    ("cognito", "trigger=PostAuthentication_Authentication", "CognitoPostAuthenticationTriggerModel"),
    ("cognito", "trigger=CustomMessage_SignUp", "CognitoCustomMessageTriggerModel"),
    ("dynamodb", "name=MODIFY", "DynamoDBStreamModel"),
    ("dynamodb", "name=REMOVE", "DynamoDBStreamModel"),
    ("sqs", "queue=orders.fifo", "SqsModel"),
    ("sqs", "count=10", "SqsModel"),
]


@pytest.fixture
def place() -> Place:
    numbers = count(1)
    now = datetime(2026, 1, 31, 12, 0, 0, 5000, UTC)
    return Place("123456789012", "eu-west-1", now, lambda: f"00000000-0000-4000-8000-{next(numbers):012d}")


def parsed(event: dict[str, Any], model: str) -> Any:
    models = importlib.import_module("aws_lambda_powertools.utilities.parser.models")
    return getattr(models, model).model_validate(event)


@pytest.mark.parametrize(("kind", "model"), MODELS.items())
def test_powertools_parses_every_kind_that_it_knows(place: Place, kind: str, model: str) -> None:
    parsed(sample(kind, (), place), model)


@pytest.mark.parametrize(("kind", "setting", "model"), VARIANTS)
def test_powertools_parses_what_is_said_otherwise(place: Place, kind: str, setting: str, model: str) -> None:
    parsed(sample(kind, [setting], place), model)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_json_and_says_what_it_is(place: Place, kind: str) -> None:
    event = sample(kind, (), place)
    assert json.loads(json.dumps(event)) == event
    assert summary(kind).endswith(".")
    assert fields(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_that_is_text_is_in_the_event(place: Place, kind: str) -> None:
    for field in fields(kind):
        if field.kind != "text" or field.name in ("header", "query", "event", "name", "trigger", "request", "queue"):
            continue
        text = _all_text(sample(kind, [f"{field.name}=marker-of-the-test"], place))
        assert "marker-of-the-test" in text, field.name


def test_records_of_streams_have_the_shape_in_which_mappings_send_them(place: Place) -> None:
    stream, table = sample("kinesis", [], place), sample("dynamodb", ["name=MODIFY"], place)
    sent = ShardRecord("1", "key", 1.5, b"hello")
    arn = stream["Records"][0]["eventSourceARN"]
    made = json.loads(KinesisShape(arn, "arn:aws:iam::1:role/r").encoded("shardId-000000000000", sent))
    assert shape(stream["Records"][0]) == shape(made)
    change = {name: table["Records"][0]["dynamodb"][name] for name in ("Keys", "NewImage", "OldImage")}
    content = {
        "eventID": "1",
        "eventName": "MODIFY",
        "dynamodb": {**change, "SizeBytes": 26, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    told = DynamoDbShape(table["Records"][0]["eventSourceARN"])
    made = json.loads(told.encoded("shardId-0", ShardRecord("1", "key", 1.5, content)))
    assert shape(table["Records"][0]) == shape(made)


def _all_text(event: object) -> str:
    """With what travels in base64, and compressed."""
    text = json.dumps(event)
    found = [text]
    for value in _strings(event):
        try:
            data = base64.b64decode(value, validate=True)
            found.append((gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode(errors="replace"))
        except ValueError:
            pass
    return "\n".join(found)


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _strings(one)]


def test_members_are_set_by_where_they_are(place: Place) -> None:
    event = sample("sqs", ["Records[0].attributes.SenderId=me", 'Records[0].messageAttributes={"a": 1}'], place)
    assert event["Records"][0]["attributes"]["SenderId"] == "me"
    assert event["Records"][0]["messageAttributes"] == {"a": 1}


@pytest.mark.parametrize(
    ("kind", "setting", "complaint"),
    [
        ("sqs", "bdy=x", "bdy leads nowhere"),
        ("sqs", "Records[1].body=x", "leads nowhere"),
        ("sqs", "Records.body=x", "leads nowhere"),
        ("sqs", "Records[0].body.more=x", "leads nowhere"),
        ("sqs", "body", "NAME=VALUE"),
        ("sqs", "=x", "NAME=VALUE"),
        ("sqs", "count=many", "count is a number"),
        ("nothing", "a=b", "there is no sample event 'nothing'"),
    ],
)
def test_what_cannot_be_said_of_an_event_is_refused(place: Place, kind: str, setting: str, complaint: str) -> None:
    with pytest.raises(SampleError, match=complaint.replace("[", r"\[")):
        sample(kind, [setting], place)


def test_other_names_are_known() -> None:
    assert (kind_of("S3"), kind_of("apigateway"), kind_of("msk")) == ("s3:put", "apigateway:v2", "kafka")


def test_a_body_stays_text_and_a_detail_is_json(place: Place) -> None:
    assert sample("sqs", ['body={"a": 1}'], place)["Records"][0]["body"] == '{"a": 1}'
    assert sample("eventbridge", ['detail={"a": 1}'], place)["detail"] == {"a": 1}


@given(st.text(string.printable), st.text(string.printable))
def test_whatever_is_set_there_is_an_event_or_one_refusal(name: str, value: str) -> None:
    place = Place("1", "r", datetime(2026, 1, 1, tzinfo=UTC), lambda: "id")
    with contextlib.suppress(SampleError):
        assert list(sample("sqs", [f"{name}={value}"], place)) == ["Records"]
