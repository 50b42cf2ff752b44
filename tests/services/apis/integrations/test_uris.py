"""What integrations are written with: URIs, queries, subtypes, mocks."""

from typing import Any

import pytest

from mayfly.services.apis.integrations import subtypes, uris
from mayfly.services.apis.integrations.api import IntegrationError
from mayfly.services.apis.integrations.mocks import status_of
from mayfly.services.apis.integrations.uris import ServiceUri
from mayfly.services.apis.integrations.web import with_query

ARN = "arn:aws:apigateway:us-east-1:"


@pytest.mark.parametrize(
    ("uri", "read"),
    [
        (f"{ARN}sqs:path/000000000000/q", ServiceUri("us-east-1", "sqs", None, "/000000000000/q", "", None)),
        (f"{ARN}sqs:action/SendMessage", ServiceUri("us-east-1", "sqs", None, None, "", "SendMessage")),
        (f"{ARN}sns:action/Publish&Version=1", ServiceUri("us-east-1", "sns", None, None, "Version=1", "Publish")),
        (f"{ARN}s3:path/b/k?acl", ServiceUri("us-east-1", "s3", None, "/b/k", "acl", None)),
        (f"{ARN}bucket.s3:path/k", ServiceUri("us-east-1", "s3", "bucket", "/k", "", None)),
        ("https://example.com", None),
        (f"{ARN}sqs:action/", None),
        ("arn:aws:lambda:us-east-1:000000000000:function:f", None),
    ],
)
def test_uris_of_services_are_read(uri: str, read: ServiceUri | None) -> None:
    assert uris.read(uri) == read


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_uri_leads_to_a_function(slash: str) -> None:
    function = "arn:aws:lambda:us-east-1:000000000000:function:f:live"
    found = uris.read(f"{ARN}lambda:path/{slash}2015-03-31/functions/{function}/invocations")
    assert found is not None
    assert found.function_arn == function


def test_parameters_are_put_behind_those_of_a_url() -> None:
    assert with_query("http://x/y", ()) == "http://x/y"
    assert with_query("http://x/y", (("a", "1 &"), ("a", "ü"))) == "http://x/y?a=1%20%26&a=%C3%BC"
    assert with_query("http://x/y?b=2#f", (("a", "1"),)) == "http://x/y?b=2&a=1#f"


@pytest.mark.parametrize("written", ['{"statusCode": 200}', '{"statusCode": "200"}', "{statusCode: 200}"])
def test_a_mock_answers_with_the_status_of_its_template(written: str) -> None:
    assert status_of(written) == 200


@pytest.mark.parametrize("written", ["", "{}", "200", '{"statusCode": "x"}', '{"statusCode": true}'])
def test_a_mock_without_a_status_is_a_mistake_of_its_author(written: str) -> None:
    with pytest.raises(IntegrationError, match="statusCode"):
        status_of(written)


@pytest.mark.parametrize(
    ("name", "parameters", "document"),
    [
        (
            "EventBridge-PutEvents",
            {"Detail": "{}", "DetailType": "t", "Source": "s", "Resources": '["a"]', "Region": "eu-west-1"},
            {"Entries": [{"Detail": "{}", "DetailType": "t", "Source": "s", "Resources": ["a"]}]},
        ),
        (
            "SQS-SendMessage",
            {
                "QueueUrl": "u",
                "MessageBody": "{}",
                "DelaySeconds": "3",
                "MessageAttributes": '{"a": {"DataType": "String", "StringValue": "x"}}',
            },
            {
                "QueueUrl": "u",
                "MessageBody": "{}",
                "DelaySeconds": 3,
                "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}},
            },
        ),
        (
            "SQS-ReceiveMessage",
            {"QueueUrl": "u", "AttributeNames": "All"},
            {"QueueUrl": "u", "AttributeNames": ["All"]},
        ),
        (
            "StepFunctions-StartExecution",
            {"StateMachineArn": "a", "Input": "{}"},
            {"stateMachineArn": "a", "input": "{}"},
        ),
    ],
)
def test_parameters_of_a_subtype_become_those_of_its_operation(
    name: str, parameters: dict[str, str], document: dict[str, Any]
) -> None:
    assert subtypes.document_of(name, parameters) == document
    assert subtypes.SUBTYPES[name].missing(parameters) == []
    assert subtypes.SUBTYPES[name].unknown({**parameters, "Nothing": "x"}) == ["Nothing"]


def test_a_parameter_that_is_no_number_or_no_json_is_named() -> None:
    with pytest.raises(ValueError, match="DelaySeconds"):
        subtypes.document_of("SQS-SendMessage", {"DelaySeconds": "soon"})
    with pytest.raises(ValueError, match="MessageAttributes"):
        subtypes.document_of("SQS-SendMessage", {"MessageAttributes": "{"})
