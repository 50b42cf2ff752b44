"""Resources that functions make, on a real platform: what they are asked, what becomes of their answers."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.services.functions.stage import zipped

Client = Callable[..., Any]
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
# It does what its property Say says, and keeps what it was asked in a queue.
MAKER = """
import json, os, time, boto3, urllib.request

def handler(event, context):
    request = event
    if "Records" in event:
        request = json.loads(event["Records"][0]["Sns"]["Message"])
    boto3.client("sqs").send_message(QueueUrl=os.environ["LOG"], MessageBody=json.dumps(request))
    properties = request["ResourceProperties"]
    answer = {
        "Status": "SUCCESS",
        "StackId": request["StackId"],
        "RequestId": request["RequestId"],
        "LogicalResourceId": request["LogicalResourceId"],
        "PhysicalResourceId": "thing-" + properties.get("Name", "x"),
        "Data": {"Upper": properties.get("Name", "x").upper(), "Secret": "tell-nobody"},
        "NoEcho": properties.get("Hidden") == "true",
    }
    say = properties.get(request["RequestType"], "")
    if say == "nothing":
        return
    if say == "slow":
        time.sleep(2)
    if say == "fail":
        answer |= {"Status": "FAILED", "Reason": "as was asked"}
    body = json.dumps(answer).encode()
    if say == "garbage":
        body = b"not json"
    if say == "long":
        body = json.dumps(answer | {"Reason": "x" * 5000}).encode()
    put = urllib.request.Request(request["ResponseURL"], data=body, method="PUT", headers={"content-type": ""})
    urllib.request.urlopen(put)
"""
TEMPLATE = """
Parameters:
  Token: {Type: String}
  Name: {Type: String, Default: first}
  Create: {Type: String, Default: ""}
  Update: {Type: String, Default: ""}
  Delete: {Type: String, Default: ""}
  Timeout: {Type: String, Default: 60}
Resources:
  Thing:
    Type: Custom::Thing
    Properties:
      ServiceToken: !Ref Token
      ServiceTimeout: !Ref Timeout
      Name: !Ref Name
      Hidden: true
      Number: 5
      Create: !Ref Create
      Update: !Ref Update
      Delete: !Ref Delete
  Uses:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "uses-${Thing}-${Thing.Upper}", Tags: [{Key: k, Value: !GetAtt Thing.Secret}]}
Outputs:
  Upper: {Value: !GetAtt Thing.Upper}
"""


@pytest.fixture
def log(client: Client) -> Iterator[str]:
    url = client("sqs").create_queue(QueueName=f"custom-log-{uuid.uuid4()}")["QueueUrl"]
    yield url
    client("sqs").delete_queue(QueueUrl=url)


@pytest.fixture
def maker(client: Client, log: str) -> Iterator[str]:
    role = client("iam").create_role(RoleName="custom-maker", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    made = client("lambda").create_function(
        FunctionName="custom-maker",
        Runtime="python3.11",
        Handler="index.handler",
        Role=role,
        Timeout=30,
        Code={"ZipFile": zipped({"index.py": MAKER})},
        Environment={"Variables": {"LOG": log}},
    )
    client("lambda").get_waiter("function_active_v2").wait(FunctionName="custom-maker", WaiterConfig={"Delay": 1})
    yield made["FunctionArn"]
    client("lambda").delete_function(FunctionName="custom-maker")
    client("iam").delete_role(RoleName="custom-maker")


@pytest.fixture
def stack(client: Client, maker: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """`stack(name, Name="x")` makes or changes a stack and waits for the end of it."""
    cloudformation, made = client("cloudformation"), []

    def deploy(name: str, token: str = maker, **given: str) -> dict[str, Any]:
        given["Token"] = token
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        do = cloudformation.update_stack if name in made else cloudformation.create_stack
        made.append(name)
        do(StackName=name, TemplateBody=TEMPLATE, Parameters=parameters)
        return settled(client, name)

    yield deploy
    for name in made:
        cloudformation.delete_stack(StackName=name)
        settled(client, name)


def settled(client: Client, name: str) -> dict[str, Any]:
    """The stack once nothing is under way; nothing if it is gone."""
    for _ in range(400):
        found = [stack for stack in client("cloudformation").describe_stacks()["Stacks"] if stack["StackName"] == name]
        if not found or not found[0]["StackStatus"].endswith("_IN_PROGRESS"):
            return dict(found[0]) if found else {}
        time.sleep(0.1)
    raise AssertionError(f"{name} is still in {found[0]['StackStatus']}")


def asked(client: Client, log: str) -> list[dict[str, Any]]:
    """What the function was asked since this was asked last, in order."""
    found: list[dict[str, Any]] = []
    while True:
        messages = client("sqs").receive_message(QueueUrl=log, MaxNumberOfMessages=10).get("Messages", [])
        if not messages:
            return found
        for message in messages:
            found.append(json.loads(message["Body"]))
            client("sqs").delete_message(QueueUrl=log, ReceiptHandle=message["ReceiptHandle"])


def reasons(client: Client, name: str) -> dict[str, str]:
    events = client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return {
        event["ResourceStatus"]: event.get("ResourceStatusReason", "")
        for event in reversed(events)
        if event["LogicalResourceId"] == "Thing"
    }


def test_a_function_is_asked_to_the_letter_and_answers(
    client: Client, log: str, maker: str, stack: Callable[..., dict[str, Any]]
) -> None:
    made = stack("custom")
    assert made["StackStatus"] == "CREATE_COMPLETE", reasons(client, "custom")
    assert made["Outputs"] == [{"OutputKey": "Upper", "OutputValue": "FIRST"}]
    (create,) = asked(client, log)
    url = create.pop("ResponseURL")
    request_id = create.pop("RequestId")
    assert url.startswith("http")
    properties = {
        "ServiceToken": maker, "ServiceTimeout": "60", "Name": "first", "Hidden": "true", "Number": "5",
        "Create": "", "Update": "", "Delete": "",
    }  # fmt: skip
    assert create == {
        "RequestType": "Create",
        "ServiceToken": maker,
        "StackId": made["StackId"],
        "LogicalResourceId": "Thing",
        "ResourceType": "Custom::Thing",
        "ResourceProperties": properties,
    }
    events = client("cloudformation").describe_stack_events(StackName="custom")["StackEvents"]
    assert "tell-nobody" not in json.dumps(events, default=str)

    assert stack("custom", Name="second")["StackStatus"] == "UPDATE_COMPLETE"
    update, delete = asked(client, log)  # another physical id: the old one goes when the stack is through
    assert update["RequestType"] == "Update"
    assert update["PhysicalResourceId"] == "thing-first"
    assert update["OldResourceProperties"] == properties
    assert update["ResourceProperties"]["Name"] == "second"
    assert update["RequestId"] != request_id
    assert (delete["RequestType"], delete["PhysicalResourceId"]) == ("Delete", "thing-first")

    client("cloudformation").delete_stack(StackName="custom")
    settled(client, "custom")
    (delete,) = asked(client, log)
    assert (delete["RequestType"], delete["PhysicalResourceId"]) == ("Delete", "thing-second")


def test_an_update_that_stays_the_same_thing_deletes_nothing(
    client: Client, log: str, stack: Callable[..., dict[str, Any]]
) -> None:
    stack("custom-same")
    stack("custom-same", Timeout="59")
    assert [request["RequestType"] for request in asked(client, log)] == ["Create", "Update"]


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        ("fail", "Received response status [FAILED] from custom resource. Message returned: as was asked (RequestId: "),
        ("garbage", "Invalid response object"),
        ("long", "Response object is too long."),
    ],
)
def test_a_creation_that_goes_wrong_is_rolled_back(
    client: Client, log: str, stack: Callable[..., dict[str, Any]], say: str, reason: str
) -> None:
    name = f"custom-{say}"
    assert stack(name, Create=say)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reasons(client, name)["CREATE_FAILED"].startswith(reason)
    create, delete = asked(client, log)
    assert (create["RequestType"], delete["RequestType"]) == ("Create", "Delete")
    if say == "fail":
        assert delete["PhysicalResourceId"] == "thing-first"


BESIDE = """
Resources:
  Thing: {Type: Custom::Thing, Properties: {ServiceToken: TOKEN, Name: slow, Create: slow}}
  Wrong: {Type: Custom::Thing, Properties: {ServiceToken: TOKEN, Name: wrong, Create: fail}}
"""


def test_what_is_being_made_when_something_else_fails_is_deleted_once_it_is_there(
    client: Client, log: str, maker: str
) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="custom-beside", TemplateBody=BESIDE.replace("TOKEN", maker))
    assert settled(client, "custom-beside")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reasons(client, "custom-beside")["CREATE_FAILED"] == "Resource creation cancelled"
    deleted = [request["PhysicalResourceId"] for request in asked(client, log) if request["RequestType"] == "Delete"]
    assert sorted(deleted) == ["thing-slow", "thing-wrong"]
    cloudformation.delete_stack(StackName="custom-beside")
    settled(client, "custom-beside")


def test_who_never_answers_is_waited_for_as_long_as_the_template_says(
    client: Client, stack: Callable[..., dict[str, Any]]
) -> None:
    assert stack("custom-mute", Create="nothing", Timeout="2")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "did not receive a response" in reasons(client, "custom-mute")["CREATE_FAILED"]


def test_an_update_that_fails_is_taken_back(client: Client, log: str, stack: Callable[..., dict[str, Any]]) -> None:
    stack("custom-back")
    asked(client, log)
    found = stack("custom-back", Update="fail")
    assert found["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    kinds = [(request["RequestType"], request["ResourceProperties"]["Update"]) for request in asked(client, log)]
    assert kinds == [("Update", "fail"), ("Update", "")]


def test_a_topic_is_asked_as_well(client: Client, log: str, maker: str, stack: Callable[..., dict[str, Any]]) -> None:
    topic = client("sns").create_topic(Name="custom")["TopicArn"]
    client("lambda").add_permission(
        FunctionName=maker, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )
    client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=maker)
    assert stack("custom-topic", topic)["StackStatus"] == "CREATE_COMPLETE", reasons(client, "custom-topic")
    (create,) = asked(client, log)
    assert create["ServiceToken"] == topic
    client("cloudformation").delete_stack(StackName="custom-topic")
    settled(client, "custom-topic")
    client("sns").delete_topic(TopicArn=topic)
