"""Parameter Store, with boto3 against a running platform."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess


@pytest.fixture
def ssm(client: Callable[..., Any]) -> Any:
    return client("ssm")


@pytest.fixture
def path(ssm: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the parameters of one test are; gone after it."""
    prefix = f"/{request.node.name[:60].rstrip('_')}"
    yield prefix
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=prefix, Recursive=True)
    names = [one["Name"] for page in pages for one in page["Parameters"]]
    for at in range(0, len(names), 10):
        ssm.delete_parameters(Names=names[at : at + 10])


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_parameter_is_put_read_by_version_and_label_and_deleted(ssm: Any, path: str) -> None:
    name = f"{path}/db/host"
    assert ssm.put_parameter(Name=name, Value="one", Type="String", Description="where")["Version"] == 1
    assert refusal(ssm.put_parameter, Name=name, Value="two", Type="String")[0] == "ParameterAlreadyExists"
    made = ssm.put_parameter(Name=name, Value="two", Overwrite=True)
    assert (made["Version"], made["Tier"]) == (2, "Standard")
    ssm.label_parameter_version(Name=name, ParameterVersion=1, Labels=["old"])
    found = ssm.get_parameter(Name=name)["Parameter"]
    assert (found["Value"], found["Version"], found["Type"], found["DataType"]) == ("two", 2, "String", "text")
    assert found["ARN"].endswith(f":parameter{name}")
    assert ssm.get_parameter(Name=found["ARN"])["Parameter"]["Value"] == "two"
    by_label = ssm.get_parameter(Name=f"{name}:old")["Parameter"]
    assert (by_label["Value"], by_label["Selector"], by_label["Name"]) == ("one", ":old", name)
    assert ssm.get_parameter(Name=f"{name}:1")["Parameter"]["Value"] == "one"
    assert refusal(ssm.get_parameter, Name=f"{name}:3")[0] == "ParameterVersionNotFound"
    assert refusal(ssm.get_parameter, Name=f"{name}:new")[0] == "ParameterVersionNotFound"
    history = ssm.get_parameter_history(Name=name)["Parameters"]
    assert [(one["Version"], one["Value"], one["Labels"]) for one in history] == [(1, "one", ["old"]), (2, "two", [])]
    ssm.label_parameter_version(Name=name, Labels=["old"])  # moves to the latest
    assert ssm.get_parameter(Name=f"{name}:old")["Parameter"]["Value"] == "two"
    ssm.delete_parameter(Name=name)
    assert refusal(ssm.get_parameter, Name=name) == ("ParameterNotFound", f"Parameter {name} not found.")
    assert refusal(ssm.delete_parameter, Name=name)[0] == "ParameterNotFound"


def test_a_name_without_a_path_is_one_with_a_slash_before_it_and_without(ssm: Any) -> None:
    ssm.put_parameter(Name="slashless", Value="v", Type="String")
    assert ssm.get_parameter(Name="/slashless")["Parameter"]["Name"] == "slashless"
    assert refusal(ssm.put_parameter, Name="/slashless", Value="v", Type="String")[0] == "ParameterAlreadyExists"
    found = ssm.get_parameters(Names=["slashless", "none"])
    assert [one["Name"] for one in found["Parameters"]] == ["slashless"]
    assert found["InvalidParameters"] == ["none"]
    assert ssm.delete_parameters(Names=["/slashless", "none"])["InvalidParameters"] == ["none"]


def test_a_secure_string_is_sealed_at_rest_and_shown_to_who_asks_for_it(
    ssm: Any, path: str, platform: PlatformProcess
) -> None:
    ssm.put_parameter(Name=f"{path}/password", Value="correct-horse-battery", Type="SecureString")
    assert ssm.get_parameter(Name=f"{path}/password")["Parameter"]["Value"] != "correct-horse-battery"
    shown = ssm.get_parameter(Name=f"{path}/password", WithDecryption=True)["Parameter"]
    assert (shown["Value"], shown["Type"]) == ("correct-horse-battery", "SecureString")
    listed = ssm.get_parameters_by_path(Path=path, WithDecryption=True)["Parameters"]
    assert [one["Value"] for one in listed] == ["correct-horse-battery"]
    described = ssm.describe_parameters(ParameterFilters=[{"Key": "Path", "Values": [path]}])["Parameters"]
    assert described[0]["KeyId"] == "alias/aws/ssm"
    files = [file for file in platform.data.glob("mayfly.db*") if file.is_file()]
    assert files
    assert not any(b"correct-horse-battery" in file.read_bytes() for file in files)


def test_parameters_under_a_path_come_in_pages_and_by_filters(ssm: Any, path: str) -> None:
    for number in range(12):
        ssm.put_parameter(Name=f"{path}/a/p{number:02}", Value="v", Type="String")
    ssm.put_parameter(Name=f"{path}/top", Value="x,y", Type="StringList", Tags=[{"Key": "team", "Value": "blue"}])
    assert [one["Name"] for one in ssm.get_parameters_by_path(Path=path)["Parameters"]] == [f"{path}/top"]
    first = ssm.get_parameters_by_path(Path=f"{path}/", Recursive=True)
    rest = ssm.get_parameters_by_path(Path=f"{path}/", Recursive=True, NextToken=first["NextToken"])
    names = [one["Name"] for one in first["Parameters"] + rest["Parameters"]]
    assert names == [*(f"{path}/a/p{number:02}" for number in range(12)), f"{path}/top"]
    assert "NextToken" not in rest
    lists = ssm.get_parameters_by_path(
        Path=path, Recursive=True, ParameterFilters=[{"Key": "Type", "Values": ["StringList"]}]
    )
    assert [one["Name"] for one in lists["Parameters"]] == [f"{path}/top"]
    tagged = ssm.describe_parameters(ParameterFilters=[{"Key": "tag:team", "Values": ["blue"]}])
    assert [one["Name"] for one in tagged["Parameters"]] == [f"{path}/top"]
    old = ssm.describe_parameters(Filters=[{"Key": "Name", "Values": [f"{path}/a/p0"]}], MaxResults=50)
    assert len(old["Parameters"]) == 10
    assert refusal(ssm.get_parameters_by_path, Path="relative")[0] == "ValidationException"
    assert refusal(ssm.get_parameters_by_path, Path=path, NextToken="no token")[0] == "InvalidNextToken"


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"Name": "aws-one"}, "ValidationException", 'can\'t be prefixed with "aws" or "ssm"'),
        ({"Name": "/aws/one"}, "AccessDeniedException", "No access to reserved parameter name: /aws/one."),
        ({"Name": "a/b"}, "ValidationException", "fully qualified"),
        ({"Name": "/a//b"}, "ValidationException", "sub-paths divided by slash"),
        ({"Name": "/l" * 16}, "HierarchyLevelLimitExceededException", "15 levels"),
        ({"Type": None}, "ValidationException", "A parameter type is required when you create a parameter."),
        ({"Value": "x" * 4097}, "ValidationException", "maximum parameter value of 4096 characters"),
        ({"Value": "x" * 8193, "Tier": "Advanced"}, "ValidationException", "8192 characters"),
        ({"AllowedPattern": r"\d+"}, "ParameterPatternMismatchException", "cannot be validated against allowedPattern"),
        ({"AllowedPattern": "("}, "InvalidAllowedPatternException", "is not a pattern"),
        ({"DataType": "Text"}, "ValidationException", "The following data type is not supported: Text"),
        ({"DataType": "aws:ec2:image"}, "ValidationException", "use text"),
        ({"KeyId": "alias/x"}, "ValidationException", "KeyId is required for SecureString type parameter only."),
        ({"KeyId": "alias/x", "Type": "SecureString"}, "InvalidKeyId", "key management service"),
        ({"Policies": '[{"Type": "Expiration"}]', "Tier": "Advanced"}, "InvalidPolicyAttributeException", "Timestamp"),
        ({"Overwrite": True, "Tags": [{"Key": "a", "Value": "b"}]}, "ValidationException", "can't be used together"),
    ],
)
def test_what_cannot_be_put_is_refused_in_awss_words(ssm: Any, given: dict[str, Any], code: str, words: str) -> None:
    params = {"Name": "/refused", "Value": "v", "Type": "String", **given}
    found, message = refusal(ssm.put_parameter, **{key: one for key, one in params.items() if one is not None})
    assert found == code
    assert words in message


def test_a_hundredth_version_pushes_the_oldest_out_unless_it_is_labelled(ssm: Any, path: str) -> None:
    name = f"{path}/often"
    for number in range(101):
        ssm.put_parameter(Name=name, Value=str(number), Type="String", Overwrite=True)
    assert refusal(ssm.get_parameter, Name=f"{name}:1")[0] == "ParameterVersionNotFound"
    assert ssm.get_parameter(Name=f"{name}:2")["Parameter"]["Value"] == "1"
    ssm.label_parameter_version(Name=name, ParameterVersion=2, Labels=["keep"])
    code, message = refusal(ssm.put_parameter, Name=name, Value="more", Overwrite=True)
    assert code == "ParameterMaxVersionLimitExceeded"
    assert "Version 2, the oldest version" in message
    assert ssm.unlabel_parameter_version(Name=name, ParameterVersion=2, Labels=["keep", "none"]) | {
        "ResponseMetadata": None
    } == {"RemovedLabels": ["keep"], "InvalidLabels": ["none"], "ResponseMetadata": None}
    ssm.put_parameter(Name=name, Value="more", Overwrite=True)


def test_an_advanced_parameter_stays_one_and_grows_into_its_tier(ssm: Any, path: str) -> None:
    name = f"{path}/large"
    made = ssm.put_parameter(Name=name, Value="x" * 5000, Type="String", Tier="Intelligent-Tiering")
    assert made["Tier"] == "Advanced"
    assert ssm.put_parameter(Name=name, Value="small", Overwrite=True)["Tier"] == "Advanced"
    assert "can't downgrade" in refusal(ssm.put_parameter, Name=name, Value="v", Overwrite=True, Tier="Standard")[1]


def test_tags_of_parameters(ssm: Any, path: str) -> None:
    ssm.put_parameter(Name=f"{path}/t", Value="v", Type="String")
    target = {"ResourceType": "Parameter", "ResourceId": f"{path}/t"}
    ssm.add_tags_to_resource(**target, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ssm.remove_tags_from_resource(**target, TagKeys=["a"])
    assert ssm.list_tags_for_resource(**target)["TagList"] == [{"Key": "b", "Value": "2"}]
    unknown = {"ResourceType": "Parameter", "ResourceId": "/none"}
    assert refusal(ssm.list_tags_for_resource, **unknown)[0] == "InvalidResourceId"
    other = {"ResourceType": "Document", "ResourceId": "x"}
    assert refusal(ssm.list_tags_for_resource, **other)[0] == "InvalidResourceType"


def test_a_change_and_an_expiry_are_told_to_the_default_bus(ssm: Any, client: Callable[..., Any], path: str) -> None:
    queues, events = client("sqs"), client("events")
    url = queues.create_queue(QueueName="parameter-events")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.ssm"], "resources": [{"suffix": f"{path}/told"}]}
    rule = events.put_rule(Name="parameter-events", EventPattern=json.dumps(pattern))["RuleArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_targets(Rule="parameter-events", Targets=[{"Id": "q", "Arn": arn}])
    try:
        soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        expiry = {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": soon}}
        ssm.put_parameter(Name=f"{path}/told", Value="v", Type="String", Description="d")
        ssm.put_parameter(
            Name=f"{path}/told", Value="w", Overwrite=True, Tier="Advanced", Policies=json.dumps([expiry])
        )
        heard: list[tuple[str, str]] = []
        deadline = time.monotonic() + 30
        while len(heard) < 4 and time.monotonic() < deadline:
            for message in queues.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", []):
                event = json.loads(message["Body"])
                detail = event["detail"]
                heard.append((event["detail-type"], detail.get("operation") or detail["policy-type"]))
                queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        change = "Parameter Store Change"
        assert sorted(heard) == [
            (change, "Create"),
            (change, "Delete"),
            (change, "Update"),
            ("Parameter Store Policy Action", "Expiration"),
        ]
        assert refusal(ssm.get_parameter, Name=f"{path}/told")[0] == "ParameterNotFound"
    finally:
        events.remove_targets(Rule="parameter-events", Ids=["q"])
        events.delete_rule(Name="parameter-events")
        queues.delete_queue(QueueUrl=url)


def test_a_parameter_can_refer_to_a_secret(ssm: Any, client: Callable[..., Any]) -> None:
    secrets = client("secretsmanager")
    secrets.create_secret(Name="referred", SecretString="first")
    secrets.put_secret_value(SecretId="referred", SecretString="second")
    name = "/aws/reference/secretsmanager/referred"
    found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (found["Value"], found["Type"], found["Name"]) == ("second", "SecureString", "referred")
    assert ssm.get_parameter(Name=f"{name}:AWSPREVIOUS", WithDecryption=True)["Parameter"]["Value"] == "first"
    assert refusal(ssm.get_parameter, Name=name)[0] == "ValidationException"
    secrets.delete_secret(SecretId="referred", ForceDeleteWithoutRecovery=True)
    assert refusal(ssm.get_parameter, Name=name, WithDecryption=True)[0] == "ParameterNotFound"


def test_the_rest_of_systems_manager_is_refused_by_name(ssm: Any) -> None:
    code, message = refusal(ssm.describe_instance_information)
    assert code == "NotImplemented"
    assert "DescribeInstanceInformation" in message
