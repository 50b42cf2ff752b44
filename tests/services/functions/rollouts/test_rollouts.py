"""Rollouts in virtual time: shifted by steps, watched, taken back, gone on with after a restart."""

import asyncio
import json
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from mayfly.engine.api import Call, Failure, Outcome, Target
from mayfly.services.contract import ServiceError
from mayfly.services.functions.rollouts.model import BUILT_IN
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, Stage, check_members, failed, ok

MODEL: Any = ServiceModel(Loader().load_service_model("codedeploy", "service-2"), "codedeploy")
CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
ALWAYS = {"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]}


async def deploy(stage: Stage, operation: str, **params: Any) -> Any:
    """The reply of an operation of CodeDeploy."""
    service = next(each for each in stage.wire.services if each.name == "codedeploy")
    reply = await service.operations[operation](stage.context(), params)
    check_members(reply, MODEL.operation_model(operation).output_shape, operation)
    return reply


async def refusal(stage: Stage, operation: str, **params: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await deploy(stage, operation, **params)
    return caught.value


def appspec(**own: Any) -> dict[str, Any]:
    hooks = own.pop("Hooks", [])
    target = {"Name": "f", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"} | own.pop("target", {})
    content: dict[str, Any] = {
        "version": 0.0,
        "Resources": [{"f": {"Type": "AWS::Lambda::Function", "Properties": target}}],
        "Hooks": hooks,
    }
    content |= {"Mayfly": own} if own else {}
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}}


async def ready(stage: Stage, config: str = CANARY, **group: Any) -> None:
    """Two versions, an alias on the first, and a group."""
    await stage.create()
    await stage.call("PublishVersion", FunctionName="f")
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await stage.call("PublishVersion", FunctionName="f")
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    await deploy(stage, "CreateApplication", applicationName="app", computePlatform="Lambda")
    named = {"applicationName": "app", "deploymentGroupName": "g", "deploymentConfigName": config}
    usual = {"serviceRoleArn": "arn:aws:iam::000000000000:role/r", "autoRollbackConfiguration": ALWAYS}
    await deploy(stage, "CreateDeploymentGroup", **named, **{**usual, **group})


async def begin(stage: Stage, **params: Any) -> str:
    usual = {"applicationName": "app", "deploymentGroupName": "g", "revision": appspec()}
    before = stage.queue.happened("retry") + stage.queue.happened("complete")
    made = await deploy(stage, "CreateDeployment", **{**usual, **params})
    await stage.queue.more_than(before, "retry", "complete")
    return str(made["deploymentId"])


async def look(stage: Stage, seconds: float = 1.0) -> None:
    """Let time pass, and one look be taken."""
    before = stage.queue.happened("retry") + stage.queue.happened("complete")
    stage.pass_time(seconds)
    await stage.queue.more_than(before, "retry", "complete")


async def shares(stage: Stage) -> tuple[str, dict[str, float]]:
    alias = await stage.call("GetAlias", FunctionName="f", Name="live")
    return alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})


async def status(stage: Stage, deployment: str) -> dict[str, Any]:
    found = await deploy(stage, "GetDeployment", deploymentId=deployment)
    return dict(found["deploymentInfo"])


async def events(stage: Stage, deployment: str) -> dict[str, str]:
    found = await deploy(stage, "GetDeploymentTarget", deploymentId=deployment, targetId="f:live")
    target = found["deploymentTarget"]["lambdaTarget"]
    return {each["lifecycleEventName"]: each["status"] for each in target["lifecycleEvents"]}


async def call_the_alias(stage: Stage, times: int) -> None:
    for _ in range(times):
        await stage.call("Invoke", FunctionName="f", Qualifier="live")


def version_2_fails(target: Target, call: Call) -> Outcome:
    bad = getattr(target, "version", "") == "2"
    return failed(Failure("raised", b'{"errorMessage": "no"}')) if bad else ok()


async def test_a_canary_gets_its_part_then_everything(stage: Stage) -> None:
    await ready(stage)
    deployment = await begin(stage)
    assert await shares(stage) == ("1", {"2": 0.1})
    assert (await status(stage, deployment))["status"] == "InProgress"
    await look(stage, 299)
    assert await shares(stage) == ("1", {"2": 0.1})
    await look(stage)
    assert await shares(stage) == ("2", {})
    await look(stage)
    info = await status(stage, deployment)
    assert info["status"] == "Succeeded"
    assert info["deploymentOverview"]["Succeeded"] == 1
    assert set((await events(stage, deployment)).values()) == {"Succeeded"}
    group = await deploy(stage, "GetDeploymentGroup", applicationName="app", deploymentGroupName="g")
    assert group["deploymentGroupInfo"]["lastSuccessfulDeployment"]["deploymentId"] == deployment


async def test_a_linear_rollout_shifts_by_equal_steps(stage: Stage) -> None:
    await ready(stage, "CodeDeployDefault.LambdaLinear10PercentEvery1Minute")
    await begin(stage)
    seen = [(await shares(stage))[1].get("2", 1.0)]
    for _ in range(9):
        await look(stage, 60)
        seen.append((await shares(stage))[1].get("2", 1.0))
    assert seen == pytest.approx([0.1 * step for step in range(1, 11)])


async def test_calls_meanwhile_are_shared_by_weight(stage: Stage) -> None:
    await ready(stage)
    await begin(stage)
    entry = await stage.functions.catalog.get("f", "live")
    versions = [entry.pick().version for _ in range(10_000)]
    assert abs(versions.count("2") - 1000) < 10


async def test_a_version_that_fails_is_taken_back_at_once(stage: Stage) -> None:
    await ready(stage)
    stage.engine.script = version_2_fails
    deployment = await begin(stage, revision=appspec(MaxErrors="1%"))
    await call_the_alias(stage, 60)
    await look(stage)
    assert await shares(stage) == ("1", {})
    info = await status(stage, deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "CUSTOMER_APPLICATION_UNHEALTHY")
    assert "calls of the new version failed (100.00%); 1.00% may." in info["errorInformation"]["message"]
    back = await status(stage, info["rollbackInfo"]["rollbackDeploymentId"])
    assert (back["creator"], back["status"]) == ("codeDeployRollback", "Succeeded")
    assert back["rollbackInfo"]["rollbackTriggeringDeploymentId"] == deployment
    await call_the_alias(stage, 5)
    assert {getattr(target, "version", "") for target, _ in stage.engine.calls[-5:]} == {"1"}


async def test_a_slow_version_is_taken_back(stage: Stage) -> None:
    await ready(stage)
    stage.engine.script = lambda target, call: ok(duration_ms=400.0 if getattr(target, "version", "") == "2" else 1.0)
    deployment = await begin(stage, revision=appspec(MaxLatencyMs=100))
    await call_the_alias(stage, 30)
    await look(stage)
    assert (await status(stage, deployment))["status"] == "InProgress"  # three calls say nothing yet
    await look(stage, 300)
    info = await status(stage, deployment)
    assert "100 ms may be" in info["errorInformation"]["message"]
    assert await shares(stage) == ("1", {})


async def test_only_calls_of_the_new_version_since_then_count(stage: Stage) -> None:
    await ready(stage)
    stage.engine.script = lambda target, call: failed(Failure("raised", b"{}"))
    for qualifier in ("1", "2"):
        for _ in range(20):
            await stage.call("Invoke", FunctionName="f", Qualifier=qualifier)
    deployment = await begin(stage, revision=appspec(MaxErrors="1%"))
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    await look(stage)
    info = await status(stage, deployment)
    assert info["deploymentStatusMessages"] == ["10% of the calls go to version 2"]
    assert info["status"] == "InProgress"


@pytest.mark.parametrize("after_s", [1.0, 301.0])
async def test_an_alarm_takes_it_back_at_any_step(stage: Stage, after_s: float) -> None:
    hook = [{"AfterAllowTraffic": "f"}]  # which says nothing, so the rollout stays where it is
    stage.alarms.known["errors"] = "OK"
    await ready(stage, alarmConfiguration={"enabled": True, "alarms": [{"name": "errors"}]})
    deployment = await begin(stage, revision=appspec(Hooks=hook))
    await look(stage, after_s)
    assert await shares(stage) == (("1", {"2": 0.1}) if after_s < 300 else ("2", {}))
    stage.alarms.known["errors"] = "ALARM"
    await look(stage)
    info = await status(stage, deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert await shares(stage) == ("1", {})


async def test_an_alarm_that_is_on_or_is_not_there_lets_nothing_begin(stage: Stage) -> None:
    await ready(stage, alarmConfiguration={"enabled": True, "alarms": [{"name": "none"}]})
    deployment = await begin(stage)
    info = await status(stage, deployment)
    assert info["status"] == "Stopped"
    assert "none (there is no such alarm)" in info["errorInformation"]["message"]
    assert "rollbackInfo" not in info
    assert await shares(stage) == ("1", {})


async def test_without_automatic_rollback_the_calls_stay_where_they_are(stage: Stage) -> None:
    stage.alarms.known["errors"] = "OK"
    alarms = {"enabled": True, "alarms": [{"name": "errors"}]}
    await ready(stage, alarmConfiguration=alarms, autoRollbackConfiguration={"enabled": False})
    await begin(stage)
    stage.alarms.known["errors"] = "ALARM"
    await look(stage)
    assert await shares(stage) == ("1", {"2": 0.1})


async def test_hooks_have_their_say_before_and_after(stage: Stage) -> None:
    await ready(stage, "CodeDeployDefault.LambdaAllAtOnce")
    await stage.create("hook")
    asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    def script(target: Target, call: Call) -> Outcome:
        asked.put_nowait(json.loads(call.payload))
        return ok()

    stage.engine.script = script
    revision = appspec(Hooks=[{"BeforeAllowTraffic": "hook"}, {"AfterAllowTraffic": f"{ARN}hook"}])
    deployment = await begin(stage, revision=revision)
    for version in ("1", "2"):
        event = await asked.get()
        assert event["DeploymentId"] == deployment
        assert await shares(stage) == (version, {})
        answer = {"deploymentId": deployment, "status": "Succeeded"}
        answer["lifecycleEventHookExecutionId"] = event["LifecycleEventHookExecutionId"]
        await deploy(stage, "PutLifecycleEventHookExecutionStatus", **answer)
        again = await refusal(stage, "PutLifecycleEventHookExecutionStatus", **answer)
        assert again.code == "LifecycleEventAlreadyCompletedException"
        await look(stage)
        if version == "1":
            await look(stage)
    assert (await status(stage, deployment))["status"] == "Succeeded"
    assert asked.empty()


@pytest.mark.parametrize("event", ["BeforeAllowTraffic", "AfterAllowTraffic"])
async def test_a_hook_that_says_no_or_breaks_takes_it_back(stage: Stage, event: str) -> None:
    await ready(stage, "CodeDeployDefault.LambdaAllAtOnce")
    await stage.create("hook")
    stage.engine.script = lambda target, call: failed(Failure("raised", b'{"errorMessage": "no"}'))
    deployment = await begin(stage, revision=appspec(Hooks=[{event: "hook"}]))
    for _ in range(4):
        if (await status(stage, deployment))["status"] != "InProgress":
            break
        await look(stage)
    info = await status(stage, deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    assert '{"errorMessage": "no"}' in info["errorInformation"]["message"]
    assert await shares(stage) == ("1", {})
    assert (await events(stage, deployment))[event] == "Failed"


async def test_a_hook_that_says_nothing_has_an_hour(stage: Stage) -> None:
    await ready(stage)
    await stage.create("hook")
    deployment = await begin(stage, revision=appspec(Hooks=[{"BeforeAllowTraffic": "hook"}]))
    await look(stage, 3600)
    assert (await status(stage, deployment))["status"] == "InProgress"
    await look(stage, 1)
    assert "did not report within an hour" in (await status(stage, deployment))["errorInformation"]["message"]


async def test_a_rollout_is_stopped_and_taken_back_or_left(stage: Stage) -> None:
    await ready(stage)
    first = await begin(stage)
    await deploy(stage, "StopDeployment", deploymentId=first, autoRollbackEnabled=False)
    await look(stage)
    assert (await status(stage, first))["errorInformation"]["code"] == "MANUAL_STOP"
    assert await shares(stage) == ("1", {"2": 0.1})
    over = await refusal(stage, "StopDeployment", deploymentId=first)
    assert over.code == "DeploymentAlreadyCompletedException"
    await stage.call("UpdateAlias", FunctionName="f", Name="live", RoutingConfig={})
    second = await begin(stage)
    await deploy(stage, "StopDeployment", deploymentId=second)
    await look(stage)
    assert await shares(stage) == ("1", {})


async def test_what_somebody_else_did_to_the_alias_is_not_overruled(stage: Stage) -> None:
    await ready(stage)
    deployment = await begin(stage)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    await stage.call("UpdateAlias", FunctionName="f", Name="live", RoutingConfig=weights)
    await look(stage)
    info = await status(stage, deployment)
    assert info["errorInformation"]["code"] == "INVALID_LAMBDA_CONFIGURATION"
    assert await shares(stage) == ("1", {"2": 0.5})


async def test_a_deleted_alias_ends_it(stage: Stage) -> None:
    await ready(stage)
    deployment = await begin(stage)
    await stage.call("DeleteAlias", FunctionName="f", Name="live")
    await look(stage)
    assert "is not there any more" in (await status(stage, deployment))["errorInformation"]["message"]


async def test_a_restart_goes_on_where_it_was(open_stage: OpenStage) -> None:
    stage = await open_stage()
    await ready(stage)
    stage.engine.script = version_2_fails
    deployment = await begin(stage, revision=appspec(MaxErrors="40%"))
    await call_the_alias(stage, 20)
    await look(stage)
    before = (await status(stage, deployment))["deploymentStatusMessages"]
    assert "failed" in before[0] or "10%" in before[0]
    await stage.stop(grace_s=0)

    again = await open_stage()
    again.records.usage = stage.records.usage
    again.engine.script = version_2_fails
    await call_the_alias(again, 20)
    assert await shares(again) == ("1", {"2": 0.1})
    await look(again, 300)
    assert await shares(again) == ("1", {})
    assert (await status(again, deployment))["status"] == "Failed"


async def test_a_group_and_an_alias_have_one_rollout_at_a_time(stage: Stage) -> None:
    await ready(stage)
    first = await begin(stage)
    named = {"applicationName": "app", "deploymentGroupName": "g", "revision": appspec()}
    busy = await refusal(stage, "CreateDeployment", **named)
    assert busy.code == "DeploymentLimitExceededException"
    assert first in busy.message


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"Alias": "none"}, "There is no alias f:none."),
        ({"CurrentVersion": "2"}, "The alias f:live leads to the version 1, not to 2."),
        ({"TargetVersion": "7"}, "There is no version 7 of f."),
        ({"TargetVersion": "$LATEST"}, "Calls cannot be shared with $LATEST"),
        ({"Name": ""}, "The resource lacks Name."),
    ],
)
async def test_a_revision_that_cannot_be_is_refused(stage: Stage, target: dict[str, str], message: str) -> None:
    await ready(stage)
    named = {"applicationName": "app", "deploymentGroupName": "g"}
    refused = await refusal(stage, "CreateDeployment", **named, revision=appspec(target=target))
    assert refused.code == "InvalidRevisionException"
    assert refused.message.startswith(message)


async def test_a_version_that_provisioned_concurrency_cannot_go_to_is_refused(stage: Stage) -> None:
    await ready(stage)
    provisioned = {"FunctionName": "f", "ProvisionedConcurrentExecutions": 1}
    await stage.call("PutProvisionedConcurrencyConfig", **provisioned, Qualifier="live")
    await stage.call("PutProvisionedConcurrencyConfig", **provisioned, Qualifier="2")
    named = {"applicationName": "app", "deploymentGroupName": "g", "revision": appspec()}
    refused = await refusal(stage, "CreateDeployment", **named)
    assert refused.message.startswith("Alias can't be used for Provisioned Concurrency configuration")
    assert (await refusal(stage, "CreateDeployment", applicationName="app", revision=appspec())).code == (
        "DeploymentGroupNameRequiredException"
    )


async def test_a_rollout_to_the_same_version_is_done_at_once(stage: Stage) -> None:
    await ready(stage)
    deployment = await begin(stage, revision=appspec(target={"TargetVersion": "1"}))
    for _ in range(2):
        if (await status(stage, deployment))["status"] == "InProgress":
            await look(stage)
    assert (await status(stage, deployment))["status"] == "Succeeded"
    assert await shares(stage) == ("1", {})


async def test_triggers_hear_of_it(stage: Stage) -> None:
    heard: list[dict[str, Any]] = []

    class Ear:
        async def check(self, *_: Any) -> None: ...

        def accept(self, tx: Any, arn: str, event: bytes, options: Any = None) -> None:
            heard.append(json.loads(event) | {"subject": options.subject})

    stage.targets.add("sns", Ear())
    trigger: dict[str, Any] = {"triggerName": "t", "triggerTargetArn": "arn:aws:sns:us-east-1:000000000000:told"}
    trigger |= {"triggerEvents": ["DeploymentStart", "DeploymentSuccess"]}
    await ready(stage, "CodeDeployDefault.LambdaAllAtOnce", triggerConfigurations=[trigger])
    deployment = await begin(stage)
    await look(stage)
    assert [(each["deploymentId"], each["status"]) for each in heard] == [
        (deployment, "CREATED"),
        (deployment, "SUCCEEDED"),
    ]
    assert heard[1]["subject"] == f"SUCCEEDED: AWS CodeDeploy {deployment} in us-east-1 to app"


async def test_lists_are_in_order_and_filtered(stage: Stage) -> None:
    await ready(stage, "CodeDeployDefault.LambdaAllAtOnce")
    made = []
    for old, new in (("1", "2"), ("2", "1")):
        target = {"CurrentVersion": old, "TargetVersion": new}
        made.append(await begin(stage, revision=appspec(target=target)))
        await look(stage)
    named = {"applicationName": "app", "deploymentGroupName": "g"}
    assert (await deploy(stage, "ListDeployments", **named))["deployments"] == made[::-1]
    failed_ones = await deploy(stage, "ListDeployments", **named, includeOnlyStatuses=["Failed"])
    assert failed_ones["deployments"] == []
    many = await deploy(stage, "BatchGetDeployments", deploymentIds=[*made, "d-NONE"])
    assert [each["deploymentId"] for each in many["deploymentsInfo"]] == made
    assert (await refusal(stage, "GetDeployment", deploymentId="d-NONE")).code == "DeploymentDoesNotExistException"


async def test_names_of_applications_groups_and_configurations(stage: Stage) -> None:
    await ready(stage)
    assert (await deploy(stage, "ListApplications"))["applications"] == ["app"]
    taken = await refusal(stage, "CreateApplication", applicationName="app", computePlatform="Lambda")
    assert taken.code == "ApplicationAlreadyExistsException"
    servers = await refusal(stage, "CreateApplication", applicationName="b", computePlatform="Server")
    assert servers.code == "InvalidComputePlatformException"
    routing = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 20, "canaryInterval": 3}}
    config = {"deploymentConfigName": "mine", "computePlatform": "Lambda"}
    await deploy(stage, "CreateDeploymentConfig", **config, trafficRoutingConfig=routing)
    shown = await deploy(stage, "GetDeploymentConfig", deploymentConfigName="mine")
    assert shown["deploymentConfigInfo"]["trafficRoutingConfig"] == routing
    listed = await deploy(stage, "ListDeploymentConfigs")
    assert listed["deploymentConfigsList"] == [*BUILT_IN, "mine"]
    group = {"applicationName": "app", "currentDeploymentGroupName": "g"}
    await deploy(stage, "UpdateDeploymentGroup", **group, deploymentConfigName="mine", newDeploymentGroupName="h")
    assert (await refusal(stage, "DeleteDeploymentConfig", deploymentConfigName="mine")).code == (
        "DeploymentConfigInUseException"
    )
    groups = await deploy(stage, "ListDeploymentGroups", applicationName="app")
    assert groups["deploymentGroups"] == ["h"]
    await deploy(stage, "DeleteApplication", applicationName="app")
    assert (await refusal(stage, "ListDeploymentGroups", applicationName="app")).code == (
        "ApplicationDoesNotExistException"
    )
    await deploy(stage, "DeleteDeploymentConfig", deploymentConfigName="mine")
