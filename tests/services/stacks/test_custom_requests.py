"""Requests to custom resources over a crash, and as the package crhelper answers them, unmodified."""

import asyncio
import io
import json
import os
import signal
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from mayfly.services.contract import RequestContext
from mayfly.services.stacks.post import ANSWER, CUSTOM, box_name
from mayfly.services.stacks.resources.base import Around, Caller, Target
from mayfly.services.stacks.resources.cloudformation.custom import LONGEST_S, CustomResource
from tests.conftest import PlatformProcess, start_platform

from . import hurried_server
from .conftest import CONTEXT, Stage, thing
from .test_sudden_death import TRUST

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:maker"
CRHELPER = """
from crhelper import CfnResource

helper = CfnResource(polling_interval=1, sleep_on_delete=0)

@helper.create
def create(event, context):
    helper.Data["Begun"] = "yes"

@helper.poll_create
def poll(event, context):
    helper.Data["Polled"] = "yes"
    return "thing-" + event["ResourceProperties"]["Of"]

@helper.update
def update(event, context):
    if event["ResourceProperties"]["Of"] == "other":
        raise ValueError("this one stays as it is")
    helper.Data["Polled"] = "yes"
    return event["PhysicalResourceId"]

@helper.delete
def delete(event, context):
    pass

def handler(event, context):
    helper(event, context)
"""
TEMPLATE = {
    "Parameters": {"Of": {"Type": "String", "Default": "one"}},
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Maker": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Timeout": 30,
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"S3Bucket": "crhelper-code", "S3Key": "code.zip"},
            },
        },
        "Thing": {
            "Type": "Custom::Thing",
            "Properties": {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}, "Of": {"Ref": "Of"}},
        },
    },
    "Outputs": {"Polled": {"Value": {"Fn::GetAtt": ["Thing", "Polled"]}}, "Thing": {"Value": {"Ref": "Thing"}}},
}


class Crash(Exception):  # noqa: N818
    """Stands for the death of the process between the request and the note that it was sent."""


class Asked:
    """Operations that remember what a function was asked."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.sent = asyncio.Event()

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        assert (service, operation) == ("lambda", "Invoke")
        self.requests.append(json.loads(params["Payload"]))
        self.sent.set()
        if len(self.requests) == 1:
            raise Crash
        return {}


@pytest.mark.asyncio
async def test_a_request_that_is_sent_again_after_a_crash_has_the_same_request_id_and_url(stage: Stage) -> None:
    stack = await stage.create({"A": thing()})
    post, asked, kind = stage.service.post, Asked(), CustomResource()
    around = Around(None, stage.clock, post, None)  # type: ignore[arg-type]  # no need of the rest
    target = Target(stack["StackId"], "s", "Thing", 1, CONTEXT.account, CONTEXT.region, "Custom::Thing")
    properties = {"ServiceToken": FUNCTION, "Name": "x"}
    assert await post.open_for() == 0.0
    with pytest.raises(Crash):
        await kind.create(Caller(asked, CONTEXT, around=around), target, properties)
    assert await post.open_for() == LONGEST_S  # whoever was asked may answer the next process before it asks again
    asked.sent.clear()
    again = asyncio.create_task(kind.create(Caller(asked, CONTEXT, around=around), target, properties))
    await asked.sent.wait()
    first, second = asked.requests
    assert first == second
    answer = {name: first[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    body = json.dumps({**answer, "Status": "SUCCESS", "PhysicalResourceId": "made"})
    box = first["ResponseURL"].partition("?")[0].rpartition("/")[2]
    assert (await post.open(box, stack["StackId"], CUSTOM, 1.0)).id == box
    await stage.service.post._store.write(lambda tx: post.put(tx, box, ANSWER, body))
    assert (await again).physical_id == "made"
    await kind.create(Caller(asked, CONTEXT, around=around), target, properties)  # one more start: nobody is asked
    assert len(asked.requests) == 2


@pytest.mark.asyncio
async def test_the_name_of_a_box_tells_no_properties_unless_an_earlier_version_asked(stage: Stage) -> None:
    stack = await stage.create({"A": thing()})
    post, asked, kind = stage.service.post, Asked(), CustomResource()
    caller = Caller(asked, CONTEXT, around=Around(None, stage.clock, post, None))  # type: ignore[arg-type]
    target = Target(stack["StackId"], "s", "Thing", 1, CONTEXT.account, CONTEXT.region, "Custom::Thing")
    names = []
    for password, earlier in (("guess", False), ("other", True)):
        properties = {"ServiceToken": FUNCTION, "Password": password}
        said = json.dumps([properties, {}], sort_keys=True)
        name = box_name(target.stack_id, "Thing", 1, "Create", CONTEXT.request_id, False, said)
        if earlier:
            await post.open(name, target.stack_id, CUSTOM, LONGEST_S)
        asked.requests.clear()
        with pytest.raises(Crash):
            await kind.create(caller, target, properties)
        names.append((asked.requests[0]["ResponseURL"].partition("?")[0].rpartition("/")[2], name))
    (hidden, guessed), (found, left) = names
    assert hidden != guessed
    assert found == left


def package() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", CRHELPER)
        folder = Path(str(resources.files("crhelper")))
        for path in folder.glob("*.py"):
            archive.write(path, f"crhelper/{path.name}")
    return content.getvalue()


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[PlatformProcess]:
    server, running = start_platform(tmp_path / "data", program=(hurried_server.__file__,))
    yield running
    server.terminate()
    assert server.wait(60) == 0, "the server did not end cleanly"


def test_crhelper_answers_and_polls_unmodified(hurried: PlatformProcess) -> None:
    s3, cloudformation, events = hurried.client("s3"), hurried.client("cloudformation"), hurried.client("events")
    s3.create_bucket(Bucket="crhelper-code")
    s3.put_object(Bucket="crhelper-code", Key="code.zip", Body=package())
    body = json.dumps(TEMPLATE)

    def rules() -> list[str]:
        """Those by which the package looks again, every minute."""
        return [rule["Name"] for rule in events.list_rules(NamePrefix="Thing")["Rules"]]

    def polls() -> bool:
        return any(events.list_targets_by_rule(Rule=name)["Targets"] for name in rules())

    def settled(status: str) -> None:
        waiter = cloudformation.get_waiter(status)
        waiter.wait(StackName="crhelper", WaiterConfig={"Delay": 1, "MaxAttempts": 150})

    cloudformation.create_stack(StackName="crhelper", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    until(polls)
    os.kill(hurried.pid, signal.SIGUSR1)
    settled("stack_create_complete")
    (stack,) = cloudformation.describe_stacks(StackName="crhelper")["Stacks"]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
    assert outputs == {"Polled": "yes", "Thing": "thing-one"}
    until(lambda: rules() == [])  # it removes its rule
    given = [{"ParameterKey": "Of", "ParameterValue": "other"}]
    cloudformation.update_stack(
        StackName="crhelper", UsePreviousTemplate=True, Parameters=given, Capabilities=["CAPABILITY_IAM"]
    )
    settled("stack_rollback_complete")
    told = cloudformation.describe_stack_events(StackName="crhelper")["StackEvents"]
    assert any("this one stays as it is" in event.get("ResourceStatusReason", "") for event in told)
    cloudformation.delete_stack(StackName="crhelper")
    settled("stack_delete_complete")


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.1)
