"""Powertools for AWS Lambda (Python) in functions of a running platform, and its models on the events that it sends."""

import importlib.metadata
import io
import json
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aws_lambda_powertools.utilities.data_classes import CloudWatchAlarmEvent
from aws_lambda_powertools.utilities.parser import models

from mayfly.services.functions.mappings import failures
from mayfly.services.functions.mappings.shapes import DynamoDbShape, KinesisShape
from mayfly.services.ports import ShardRecord
from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped

RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
# What Powertools and its extras need; boto3 is the runtime's.
DISTRIBUTIONS = (
    "aws-lambda-powertools",
    "aws-xray-sdk",
    "annotated-types",
    "jmespath",
    "pydantic",
    "pydantic-core",
    "typing-extensions",
    "typing-inspection",
    "wrapt",
)
CODE = """
import os
from decimal import Decimal

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, LambdaFunctionUrlResolver
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.parser.envelopes import SqsEnvelope

logger, tracer, metrics = Logger(), Tracer(), Metrics()
web, http = LambdaFunctionUrlResolver(), APIGatewayHttpResolver()
processor = BatchProcessor(event_type=EventType.SQS)
runs = 0


@tracer.capture_method
def priced(order):
    return order["price"] * 2


@logger.inject_lambda_context(log_event=True, correlation_id_path="id")
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def observed(event, context):
    logger.append_keys(order=event["id"])
    logger.info("an order came")
    metrics.add_metric(name="Orders", unit=MetricUnit.Count, value=1)
    metrics.add_dimension(name="stage", value="test")
    return {"price": priced(event), "root": tracer.provider.__class__.__name__}


@web.get("/hello/<name>")
@http.get("/hello/<name>")
def hello(name):
    return {"hello": name}


@web.post("/orders")
def order():
    return {"got": web.current_event.json_body, "query": web.current_event.query_string_parameters}, 201


def served(event, context):
    return web.resolve(event, context)


def served_as_api(event, context):
    return http.resolve(event, context)


def record(record):
    if record.json_body["bad"]:
        raise ValueError("as asked")
    boto3.resource("dynamodb").Table(os.environ["TABLE"]).put_item(Item={"id": record.json_body["key"]})


def batched(event, context):
    return process_partial_response(event=event, record_handler=record, processor=processor, context=context)


layer = DynamoDBPersistenceLayer(table_name=os.environ.get("TABLE", "none"))


@idempotent(persistence_store=layer, config=IdempotencyConfig(event_key_jmespath="key"))
def once(event, context):
    global runs
    runs += 1
    return {"runs": runs}


def configured(event, context):
    provider = parameters.DynamoDBProvider(table_name=os.environ["TABLE"])
    return provider.get(event["name"])


class Order(BaseModel):
    key: str
    bad: bool


@event_parser(model=Order, envelope=SqsEnvelope)
def parsed(event, context):
    return [each.key for each in event]
"""
COLLECT = """
import json, os
import boto3

def handler(event, context):
    item = {"id": os.environ["AWS_LAMBDA_FUNCTION_NAME"] + context.aws_request_id, "event": json.dumps(event)}
    boto3.resource("dynamodb").Table(os.environ["TABLE"]).put_item(Item=item)
    return {"statusCode": 200, "body": "ok"}
"""
Deploy = Callable[..., str]


def layer_content() -> bytes:
    """The files of the installed distributions, as a layer has them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in DISTRIBUTIONS:
            for file in importlib.metadata.files(name) or ():
                where = Path(str(file.locate()))
                if where.is_file() and ".." not in file.parts and where.suffix != ".pyc":
                    archive.write(where, f"python/{file}")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def shop(platform: PlatformProcess) -> Iterator[Deploy]:
    """`deploy(handler, **parameters)`: a function of `CODE` with Powertools in a layer, and a table; its name."""
    iam, functions, tables = (platform.client(service) for service in ("iam", "lambda", "dynamodb"))
    own = f"powertools-{uuid4().hex[:8]}"
    role = iam.create_role(RoleName=own, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    layer = functions.publish_layer_version(LayerName=own, Content={"ZipFile": layer_content()})["LayerVersionArn"]
    tables.create_table(
        TableName=own,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    made = []

    def deploy(handler: str, code: str = CODE, layers: bool = True, **params: Any) -> str:
        name = f"{own}-{handler.replace('_', '-')}"
        variables = {"TABLE": own, "POWERTOOLS_SERVICE_NAME": "shop", "POWERTOOLS_METRICS_NAMESPACE": "Shop"}
        functions.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Role=role,
            Handler=f"app.{handler}",
            Code={"ZipFile": zipped({"app.py": code})},
            Environment={"Variables": variables},
            **({"Layers": [layer]} if layers else {}),
            **{"Timeout": 20, "MemorySize": 512, **params},
        )
        made.append(name)
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return name

    yield deploy
    for name in made:
        functions.delete_function(FunctionName=name)
    tables.delete_table(TableName=own)


@pytest.fixture
def functions(platform: PlatformProcess) -> Any:
    return platform.client("lambda", read_timeout=60)


def invoke(functions: Any, name: str, event: Any) -> Any:
    reply = functions.invoke(FunctionName=name, Payload=json.dumps(event))
    answer = json.load(reply["Payload"])
    assert "FunctionError" not in reply, answer
    return answer


def eventually(found: Callable[[], Any], wanted: str) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + 40
    while not (answer := found()):
        assert time.monotonic() < deadline, wanted
        time.sleep(0.1)
    return answer


def open_url(functions: Any, name: str) -> str:
    """A URL that anybody may call."""
    for action, more in (
        ("InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        functions.add_permission(
            FunctionName=name, StatementId=action, Action=f"lambda:{action}", Principal="*", **more
        )
    return str(functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"])


def table_of(platform: PlatformProcess, functions: Any, name: str) -> tuple[Any, str]:
    """A client of tables, and the table of a function."""
    configuration = functions.get_function_configuration(FunctionName=name)
    return platform.client("dynamodb"), configuration["Environment"]["Variables"]["TABLE"]


def test_logger_tracer_and_metrics(platform: PlatformProcess, functions: Any, shop: Deploy) -> None:
    name = shop("observed", TracingConfig={"Mode": "Active"})
    assert invoke(functions, name, {"id": "o-1", "price": 21})["price"] == 42
    logs = platform.client("logs")

    def written() -> list[dict[str, Any]]:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return [json.loads(each["message"]) for each in events if each["message"].startswith("{")]

    lines = eventually(lambda: found if len(found := written()) >= 4 else None, "log lines")
    said = next(line for line in lines if line.get("message") == "an order came")
    assert (said["level"], said["service"], said["order"], said["function_name"]) == ("INFO", "shop", "o-1", name)
    assert said["correlation_id"] == "o-1"
    assert said["cold_start"] is True
    assert said["xray_trace_id"].startswith("1-")
    counted = next(line for line in lines if line.get("Orders"))
    assert counted["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Shop"
    assert (counted["service"], counted["stage"]) == ("shop", "test")
    assert any(line.get("ColdStart") for line in lines)


def test_event_handler_serves_a_function_url(functions: Any, shop: Deploy) -> None:
    name = shop("served")
    url = open_url(functions, name)
    with urllib.request.urlopen(f"{url}hello/you", timeout=30) as answer:
        assert (answer.status, json.load(answer)) == (200, {"hello": "you"})
    posted = urllib.request.Request(f"{url}orders?express=yes", b'{"price": 3}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(posted, timeout=30) as answer:
        assert (answer.status, json.load(answer)) == (201, {"got": {"price": 3}, "query": {"express": "yes"}})
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(f"{url}nothing", timeout=30)
    with missing.value:
        assert missing.value.code == 404


def test_the_resolver_of_http_apis_answers_the_events_of_urls(functions: Any, shop: Deploy) -> None:
    name = shop("served_as_api")
    url = open_url(functions, name)
    with urllib.request.urlopen(f"{url}hello/api", timeout=30) as answer:
        assert json.load(answer) == {"hello": "api"}


def test_a_batch_fails_in_part(platform: PlatformProcess, functions: Any, shop: Deploy) -> None:
    name, queues = shop("batched", Timeout=4), platform.client("sqs")
    dead = queues.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": "4"}
    queue = queues.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    source = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    entries = [
        {"Id": str(number), "MessageBody": json.dumps({"key": f"batch-{number}", "bad": number == 1})}
        for number in range(3)
    ]
    queues.send_message_batch(QueueUrl=queue, Entries=entries)
    mapping = functions.create_event_source_mapping(
        FunctionName=name, EventSourceArn=source, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    tables, table = table_of(platform, functions, name)

    def kept() -> bool:
        found = {each["id"]["S"] for each in tables.scan(TableName=table)["Items"]}
        return {"batch-0", "batch-2"} <= found

    try:
        assert eventually(kept, "the messages that are good")
        left = eventually(
            lambda: queues.receive_message(QueueUrl=dead, WaitTimeSeconds=5).get("Messages"), "the message that is bad"
        )
        assert json.loads(left[0]["Body"])["key"] == "batch-1"
    finally:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])


def test_what_is_idempotent_runs_once(functions: Any, shop: Deploy) -> None:
    name = shop("once")
    assert [invoke(functions, name, {"key": "a"}) for _ in range(3)] == [{"runs": 1}] * 3
    assert invoke(functions, name, {"key": "b"}) == {"runs": 2}


def test_parameters_come_from_a_table(platform: PlatformProcess, functions: Any, shop: Deploy) -> None:
    name = shop("configured")
    tables, table = table_of(platform, functions, name)
    tables.put_item(TableName=table, Item={"id": {"S": "limit"}, "value": {"S": "12"}})
    assert invoke(functions, name, {"name": "limit"}) == "12"


def test_the_parser_opens_envelopes_in_a_function(functions: Any, shop: Deploy) -> None:
    name = shop("parsed")
    body = json.dumps({"key": "k", "bad": False})
    event = {"Records": [_message(body)]}
    assert invoke(functions, name, event) == ["k"]


def _message(body: str) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": "1700000000000",
        "SenderId": "AIDA",
        "SentTimestamp": "1700000000000",
    }
    return {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "h",
        "body": body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": "0" * 32,
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:q",
        "awsRegion": "us-east-1",
    }


class Collector:
    """A function that keeps every event that it gets."""

    def __init__(self, platform: PlatformProcess, functions: Any, name: str) -> None:
        self.name = name
        self.platform, self.functions = platform, functions
        self.arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
        self._tables, self._table = table_of(platform, functions, name)

    def allow(self, principal: str) -> None:
        self.functions.add_permission(
            FunctionName=self.name,
            StatementId=uuid4().hex,
            Action="lambda:InvokeFunction",
            Principal=f"{principal}.amazonaws.com",
        )

    def one(self, holds: Callable[[Any], bool], what: str) -> Any:
        """The first event of which something holds."""

        def found() -> Any:
            items = self._tables.scan(TableName=self._table)["Items"]
            events = [json.loads(each["event"]["S"]) for each in items if each["id"]["S"].startswith(self.name)]
            return next((event for event in events if holds(event)), None)

        return eventually(found, what)


@pytest.fixture(scope="module")
def collector(platform: PlatformProcess, shop: Deploy) -> Collector:
    name = shop("handler", COLLECT, layers=False)
    return Collector(platform, platform.client("lambda"), name)


def _name_of_first(event: Any) -> str | None:
    records = event.get("Records", ())
    return records[0].get("eventName") if records else None


def source_is(name: str) -> Callable[[Any], bool]:
    def holds(event: Any) -> bool:
        return any(name in (each.get("eventSource"), each.get("EventSource")) for each in event.get("Records", ()))

    return holds


def test_models_parse_objects_messages_and_notifications(collector: Collector) -> None:
    objects, queues, topics = (collector.platform.client(service) for service in ("s3", "sqs", "sns"))
    bucket = collector.name
    collector.allow("s3")
    objects.create_bucket(Bucket=bucket)
    notify = {"LambdaFunctionArn": collector.arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
    configuration = {"LambdaFunctionConfigurations": [notify]}
    objects.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    objects.put_object(Bucket=bucket, Key="ein/Schlüssel", Body=b"1")
    objects.delete_object(Bucket=bucket, Key="ein/Schlüssel")
    for name in ("ObjectCreated:Put", "ObjectRemoved:Delete"):
        event = collector.one(lambda each, name=name: _name_of_first(each) == name, name)  # type: ignore[misc]
        assert models.S3Model.model_validate(event).Records[0].s3.bucket.name == bucket

    queue = queues.create_queue(QueueName=bucket)["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = collector.functions.create_event_source_mapping(FunctionName=collector.name, EventSourceArn=arn)
    typed = {"n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\x00"}}
    queues.send_message(QueueUrl=queue, MessageBody="text", MessageAttributes=typed)
    event = collector.one(source_is("aws:sqs"), "a message")
    assert models.SqsModel.model_validate(event).Records[0].body == "text"
    collector.functions.delete_event_source_mapping(UUID=mapping["UUID"])

    collector.allow("sns")
    topic = topics.create_topic(Name=bucket)["TopicArn"]
    topics.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=collector.arn)
    topics.publish(TopicArn=topic, Subject="s", Message="m", MessageAttributes={
        "a": {"DataType": "String", "StringValue": "x"}})  # fmt: skip
    event = collector.one(source_is("aws:sns"), "a notification")
    assert models.SnsModel.model_validate(event).Records[0].Sns.Message == "m"


def test_models_parse_events_requests_and_alarms(collector: Collector) -> None:
    events = collector.platform.client("events")
    collector.allow("events")
    pattern = json.dumps({"source": ["powertools"]})
    events.put_rule(Name=collector.name, EventPattern=pattern)
    events.put_targets(Rule=collector.name, Targets=[{"Id": "1", "Arn": collector.arn}])
    entry = {"Source": "powertools", "DetailType": "t", "Detail": '{"a": 1}', "Resources": ["arn:aws:s3:::b"]}
    events.put_events(Entries=[entry])
    event = collector.one(lambda each: each.get("source") == "powertools", "an event")
    assert models.EventBridgeModel.model_validate(event).detail == {"a": 1}

    url = open_url(collector.functions, collector.name)
    with urllib.request.urlopen(f"{url}a/b?x=1&x=2", timeout=30) as answer:
        assert answer.status == 200
    event = collector.one(lambda each: each.get("rawPath") == "/a/b", "a request")
    assert models.LambdaFunctionUrlModel.model_validate(event).queryStringParameters == {"x": "1,2"}

    alarms = collector.platform.client("cloudwatch")
    collector.allow("lambda.alarms.cloudwatch")
    alarms.put_metric_alarm(
        AlarmName=collector.name,
        Namespace="N",
        MetricName="M",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[collector.arn],
    )
    alarms.set_alarm_state(AlarmName=collector.name, StateValue="ALARM", StateReason="as asked")
    event = collector.one(lambda each: each.get("source") == "aws.cloudwatch", "an alarm")
    alarm = CloudWatchAlarmEvent(event)
    assert (alarm.alarm_data.alarm_name, alarm.alarm_data.state.value) == (collector.name, "ALARM")
    assert alarm.alarm_data.configuration.metrics[0].metric_stat.metric["name"] == "M"


def test_a_model_parses_what_a_schedule_sends(collector: Collector) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = collector.platform.client("iam").create_role(
        RoleName=f"{collector.name}-clock"[:64],
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    collector.platform.client("scheduler").create_schedule(
        Name=collector.name,
        ScheduleExpression=f"at({time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": collector.arn, "RoleArn": role},
    )
    event = collector.one(lambda each: each.get("source") == "aws.scheduler", "a tick")
    assert models.EventBridgeModel.model_validate(event).detail_type == "Scheduled Event"


STREAM = "arn:aws:{}:us-east-1:000000000000:{}"


def test_models_parse_records_of_streams() -> None:
    kinesis = KinesisShape(STREAM.format("kinesis", "stream/s"), "arn:aws:iam::000000000000:role/r")
    record = ShardRecord("49590338271490256608559692538361571095921575989136588898", "k", 1_700_000_000.25, b"text")
    event = json.loads(kinesis.payload("shardId-000000000006", [kinesis.encoded("shardId-000000000006", record)], b""))
    assert models.KinesisDataStreamModel.model_validate(event).Records[0].kinesis.data == b"text"

    table = DynamoDbShape(STREAM.format("dynamodb", "table/t/stream/2026-01-31T12:00:00.000"))
    image = {"id": {"S": "1"}, "n": {"N": "1.5"}, "b": {"B": b"\x00"}, "l": {"L": [{"BOOL": True}, {"NULL": True}]}}
    change = {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "MODIFY",
        "dynamodb": {
            "Keys": {"id": {"S": "1"}},
            "NewImage": image,
            "OldImage": {"id": {"S": "1"}},
            "SizeBytes": 30,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
    changed = ShardRecord("111", "1", 1_700_000_000.0, change)
    event = json.loads(table.payload("shardId-1", [table.encoded("shardId-1", changed)], b""))
    parsed = models.DynamoDBStreamModel.model_validate(event).Records[0].dynamodb.NewImage
    assert isinstance(parsed, dict)
    assert parsed["l"] == [True, None]


def test_a_model_parses_what_is_told_of_a_batch_that_was_given_up() -> None:
    stream = STREAM.format("dynamodb", "table/t/stream/2026-01-31T12:00:00.000")
    function = "arn:aws:lambda:us-east-1:000000000000:function:f"
    given_up = failures.GivenUp("RetryAttemptsExhausted", str(uuid4()), function, 3, "$LATEST", error=True)
    shape = DynamoDbShape(stream)
    records = [ShardRecord(number, "1", 1_700_000_000.0, {}) for number in ("100", "101")]
    info = shape.info(stream, "shardId-1", records, 10)
    told = json.loads(failures.record(given_up, shape.batch_info, info, 1_770_000_000.0))
    parsed = models.DynamoDBStreamLambdaOnFailureDestinationModel.model_validate(told)
    assert parsed.request_context.approximate_invoke_count == 3
