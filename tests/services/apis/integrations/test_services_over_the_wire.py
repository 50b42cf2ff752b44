"""Methods of REST APIs in front of services: tables, topics, objects, buses, functions that nobody waits for."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.services.apis.rest.conftest import Rest, rest, rest_functions, role, send

__all__ = ["rest", "rest_functions", "role"]  # fixtures

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture
def gateway_role(rest: Rest) -> Iterator[str]:
    iam, name = rest.platform.client("iam"), f"gateway-{uuid4().hex[:8]}"
    yield iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.delete_role(RoleName=name)


def uri(rest: Rest, rest_of_it: str) -> str:
    return f"arn:aws:apigateway:{rest.platform.region}:{rest_of_it}"


def test_an_item_is_put_and_found_by_actions_of_tables(rest: Rest, gateway_role: str) -> None:
    tables, table = rest.platform.client("dynamodb"), f"t-{uuid4().hex[:8]}"
    tables.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    api = rest.create()
    item = rest.resource(api, "{id}")
    put = '{"TableName": "%s", "Item": {"id": {"S": "$input.params(\'id\')"}, "v": {"S": "$input.path(\'$.v\')"}}}'
    get = '{"TableName": "%s", "Key": {"id": {"S": "$input.params(\'id\')"}}}'
    for verb, action, template in (("PUT", "PutItem", put), ("GET", "GetItem", get)):
        rest.method(api, item, verb)
        rest.integrate(
            api,
            item,
            verb,
            type="AWS",
            uri=uri(rest, f"dynamodb:action/{action}"),
            credentials=gateway_role,
            requestTemplates={"application/json": template % table},
        )
    rest.respond(api, item, "PUT")
    shown = {"application/json": "{\"v\": $input.json('$.Item.v.S')}"}
    rest.respond(api, item, "GET", responseTemplates=shown)
    rest.deploy(api)
    headers = {"Content-Type": "application/json"}
    assert send("PUT", rest.url(api, "/one"), b'{"v": "x"}', headers).json == {}
    assert send("GET", rest.url(api, "/one")).json == {"v": "x"}
    tables.delete_table(TableName=table)


def test_objects_are_put_and_read_by_their_paths(rest: Rest, gateway_role: str) -> None:
    objects, bucket = rest.platform.client("s3"), f"b-{uuid4().hex[:8]}"
    objects.create_bucket(Bucket=bucket)
    api = rest.create()
    key = rest.resource(api, "{key}")
    for verb in ("PUT", "GET"):
        rest.method(api, key, verb, requestParameters={"method.request.path.key": True})
        rest.integrate(
            api,
            key,
            verb,
            type="AWS",
            integrationHttpMethod=verb,
            uri=uri(rest, f"s3:path/{bucket}/{{object}}"),
            credentials=gateway_role,
            requestParameters={"integration.request.path.object": "method.request.path.key"},
        )
        rest.respond(api, key, verb)
        rest.respond(api, key, verb, "404", selectionPattern="404")
    rest.deploy(api)
    headers = {"Content-Type": "application/json"}
    assert send("GET", rest.url(api, "/none.json")).status == 404
    assert send("PUT", rest.url(api, "/a.json"), b'{"a": 1}', headers).status == 200
    assert objects.get_object(Bucket=bucket, Key="a.json")["Body"].read() == b'{"a": 1}'
    assert send("GET", rest.url(api, "/a.json")).json == {"a": 1}
    objects.delete_object(Bucket=bucket, Key="a.json")
    objects.delete_bucket(Bucket=bucket)


def test_a_topic_is_told_by_parameters_and_a_bus_by_overrides(rest: Rest, gateway_role: str) -> None:
    topics = rest.platform.client("sns")
    topic = topics.create_topic(Name=f"t-{uuid4().hex[:8]}")["TopicArn"]
    api = rest.create()
    tell = rest.resource(api, "topic")
    rest.method(api, tell, "POST", requestParameters={"method.request.querystring.text": True})
    rest.integrate(
        api,
        tell,
        "POST",
        type="AWS",
        uri=uri(rest, "sns:action/Publish"),
        credentials=gateway_role,
        requestParameters={
            "integration.request.querystring.TopicArn": f"'{topic}'",
            "integration.request.querystring.Message": "method.request.querystring.text",
        },
    )
    rest.respond(api, tell, "POST")
    bus = rest.resource(api, "bus")
    rest.method(api, bus, "POST")
    template = (
        '#set($context.requestOverride.header.X-Amz-Target = "AWSEvents.PutEvents")'
        '#set($context.requestOverride.header.Content-Type = "application/x-amz-json-1.1")'
        '{"Entries": [{"Source": "own", "DetailType": "t", "Detail": "$util.escapeJavaScript($input.body)"}]}'
    )
    rest.integrate(
        api,
        bus,
        "POST",
        type="AWS",
        uri=uri(rest, "events:action/PutEvents"),
        credentials=gateway_role,
        requestTemplates={"application/json": template},
    )
    rest.respond(api, bus, "POST")
    rest.deploy(api)
    published = send("POST", rest.url(api, "/topic?text=hi%20%26%20there"), b"").json
    assert published["PublishResponse"]["PublishResult"]["MessageId"]
    headers = {"Content-Type": "application/json"}
    put = send("POST", rest.url(api, "/bus"), b'{"a": 1}', headers).json
    assert (put["FailedEntryCount"], len(put["Entries"])) == (0, 1)
    topics.delete_topic(TopicArn=topic)


def test_a_function_that_nobody_waits_for_is_called_all_the_same(rest: Rest) -> None:
    api = rest.create()
    rest.method(api, rest.root(api), "POST")
    rest.integrate(
        api,
        rest.root(api),
        "POST",
        type="AWS",
        uri=rest.function_uri("plain"),
        requestParameters={"integration.request.header.X-Amz-Invocation-Type": "'Event'"},
    )
    rest.respond(api, rest.root(api), "POST", responseTemplates={"application/json": '{"accepted": true}'})
    rest.deploy(api)
    answer = send("POST", rest.url(api, "/"), b'{"a": 1}', {"Content-Type": "application/json"})
    assert (answer.status, answer.json) == (200, {"accepted": True})


def test_a_role_that_does_not_trust_the_gateway_and_a_service_that_is_not_there_are_configuration_errors(
    rest: Rest, role: str, gateway_role: str
) -> None:
    api = rest.create()
    for part, of, credentials in (
        ("mine", "sqs:action/ListQueues", role),
        ("kinesis", "kinesis:action/PutRecord", gateway_role),
    ):
        resource = rest.resource(api, part)
        rest.method(api, resource, "POST")
        rest.integrate(api, resource, "POST", type="AWS", uri=uri(rest, of), credentials=credentials)
        rest.respond(api, resource, "POST")
    rest.deploy(api)
    assert send("POST", rest.url(api, "/mine"), b"").status == 500
    assert send("POST", rest.url(api, "/kinesis"), b"").status == 500
