"""A template's deployment preference: a stack's update shifts the calls by steps, and goes back with them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.functions import MIGRATED
from mayfly.services.stacks.service import StacksService
from mayfly.wire.in_process import InProcessOperations
from mayfly.wire.models import Models
from mayfly.wire.operations import Catalogue
from tests.conftest import OpenStore
from tests.services.functions.rollouts.test_rollouts import look
from tests.services.functions.stage import ROLE, Stage, zipped

PACKAGES = ("mayfly.images", "mayfly.services.queues", "mayfly.services.stacks")


def template(code: int, preference: Any, **more: Any) -> str:
    """A SAM application with one function, whose code lies in a bucket under a name of its own."""
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": "f",
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Role": ROLE,
            "CodeUri": f"s3://code/{code}.zip",
            "AutoPublishAlias": "live",
            "DeploymentPreference": {"Role": ROLE, **preference},
        },
    }
    return json.dumps(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {"F": function, **more},
        }
    )


class Application:
    """A stack over functions and CodeDeploy, in virtual time."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.code = stage.bucket.objects
        for number in (1, 2, 3):
            text = f"def handler(event, context): return {number}"
            self.code["code", f"{number}.zip"] = zipped({"app.py": text})
        known = {service.name: service for service in stage.wire.services}
        operations = InProcessOperations(known, Catalogue(Models(), frozenset(known)))
        self.stacks = StacksService(stage.store, stage.vault, operations, stage.bucket, stage.clock)

    async def apply(self, operation: str, body: str) -> str:
        """Begin; the stack's ARN."""
        params = {"StackName": "s", "TemplateBody": body, "Capabilities": ["CAPABILITY_AUTO_EXPAND"]}
        reply = await self.stacks.operations[operation](self.stage.context(), params)
        return str(reply["StackId"])

    async def created(self, body: str) -> str:
        stack = await self.apply("CreateStack", body)
        await self.stacks.driver.settled(stack)
        assert await self.status() == "CREATE_COMPLETE", await self.reasons()
        return stack

    async def status(self) -> str:
        reply = await self.stacks.operations["DescribeStacks"](self.stage.context(), {"StackName": "s"})
        return str(reply["Stacks"][0]["StackStatus"])

    async def reasons(self) -> str:
        reply = await self.stacks.operations["DescribeStackEvents"](self.stage.context(), {"StackName": "s"})
        return " ".join(each.get("ResourceStatusReason", "") for each in reply["StackEvents"])

    async def alias(self) -> tuple[str, dict[str, float]]:
        found = await self.stage.call("GetAlias", FunctionName="f", Name="live")
        return found["FunctionVersion"], found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Return once something holds; each look at it lets others go on."""
        async with asyncio.timeout(30):
            while not await holds():
                pass

    async def shifted(self, share: float) -> None:
        """Return once version 2 has that part of the calls."""

        async def holds() -> bool:
            return await self.alias() == ("1", {"2": share})

        await self.until(holds)
        await self.stage.store.write(lambda tx: None)  # whoever is told of commits has heard of that one, too


@pytest.fixture
async def application(tmp_path: Path, clock: ManualClock, open_store: OpenStore) -> AsyncIterator[Application]:
    stage = Stage(tmp_path, await open_store(*MIGRATED, *PACKAGES), clock)
    await stage.start()
    made = Application(stage)
    yield made
    await made.stacks.stop()
    await stage.stop(grace_s=0)


async def test_an_update_shifts_by_steps_and_is_done_when_all_calls_are_shifted(application: Application) -> None:
    preference = {"Type": "Canary10Percent5Minutes"}
    await application.created(template(1, preference))
    assert await application.alias() == ("1", {})
    stack = await application.apply("UpdateStack", template(2, preference))
    await application.shifted(0.1)
    assert await application.status() == "UPDATE_IN_PROGRESS"
    await look(application.stage, 300)
    assert await application.alias() == ("2", {})
    await look(application.stage)
    await application.stacks.driver.settled(stack)
    assert await application.status() == "UPDATE_COMPLETE", await application.reasons()


async def test_an_alarm_takes_calls_and_stack_back(application: Application) -> None:
    application.stage.alarms.known["errors"] = "OK"
    preference = {"Type": "Linear10PercentEvery1Minute", "Alarms": ["errors"]}
    await application.created(template(1, preference))
    stack = await application.apply("UpdateStack", template(2, preference))
    await application.shifted(0.1)
    await look(application.stage, 60)
    assert await application.alias() == ("1", {"2": 0.2})
    application.stage.alarms.known["errors"] = "ALARM"
    await look(application.stage)
    await application.stacks.driver.settled(stack)
    assert await application.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert "One or more alarms have been activated: errors" in await application.reasons()
    assert await application.alias() == ("1", {})
    # Its code, too: the next update that works publishes what it says.
    application.stage.alarms.known["errors"] = "OK"
    stack = await application.apply("UpdateStack", template(3, {"Type": "AllAtOnce", "Alarms": ["errors"]}))

    async def arrived() -> bool:
        return (await application.alias())[0] == "3"

    await application.until(arrived)
    await look(application.stage)
    await application.stacks.driver.settled(stack)
    assert await application.status() == "UPDATE_COMPLETE", await application.reasons()


async def test_an_update_that_is_cancelled_takes_the_calls_back(application: Application) -> None:
    preference = {"Type": "Canary10Percent30Minutes"}
    await application.created(template(1, preference))
    stack = await application.apply("UpdateStack", template(2, preference))
    await application.shifted(0.1)
    cancelling = application.stacks.operations["CancelUpdateStack"](application.stage.context(), {"StackName": "s"})
    await cancelling

    async def back() -> bool:
        application.stage.pass_time(0.5)
        return await application.alias() == ("1", {})

    await application.until(back)
    await application.stacks.driver.settled(stack)
    assert await application.status() == "UPDATE_ROLLBACK_COMPLETE"


async def test_a_restart_waits_for_the_same_deployment(application: Application) -> None:
    preference = {"Type": "Canary10Percent5Minutes"}
    await application.created(template(1, preference))
    stack = await application.apply("UpdateStack", template(2, preference))
    await application.shifted(0.1)
    await application.stacks.stop()
    again = Application(application.stage)
    await again.stacks.start()
    await look(application.stage, 300)
    await look(application.stage)
    await again.stacks.driver.settled(stack)
    assert await again.status() == "UPDATE_COMPLETE", await again.reasons()
    deployments = await _deployments(application.stage)
    await again.stacks.stop()
    assert len(deployments) == 1


async def test_a_custom_configuration_of_the_template_is_followed(application: Application) -> None:
    routing = {"Type": "TimeBasedCanary", "TimeBasedCanary": {"CanaryPercentage": 25, "CanaryInterval": 2}}
    properties = {"ComputePlatform": "Lambda", "TrafficRoutingConfig": routing}
    config = {"Type": "AWS::CodeDeploy::DeploymentConfig", "Properties": properties}
    preference = {"Type": {"Ref": "Quarter"}}
    await application.created(template(1, preference, Quarter=config))
    stack = await application.apply("UpdateStack", template(2, preference, Quarter=config))
    await application.shifted(0.25)
    await look(application.stage, 120)
    await look(application.stage)
    await application.stacks.driver.settled(stack)
    assert await application.alias() == ("2", {})


async def _deployments(stage: Stage) -> list[str]:
    service = next(each for each in stage.wire.services if each.name == "codedeploy")
    return list((await service.operations["ListDeployments"](stage.context(), {}))["deployments"])
