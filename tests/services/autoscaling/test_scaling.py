"""Scaling on a real store and a clock that tests move; Lambda's and CloudWatch's operations are a dict."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.autoscaling.service import AutoscalingService
from mayfly.services.contract import ANONYMOUS, RequestContext, ServiceError
from mayfly.store.sqlite import SqliteStore

OpenStore = Callable[..., Awaitable[SqliteStore]]
CONTEXT = RequestContext("request-1", "000000000000", "us-east-1", ANONYMOUS, "http://127.0.0.1:4566")
LIVE = {
    "ServiceNamespace": "lambda",
    "ResourceId": "function:f:live",
    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
}
SEVENTY = {
    "TargetValue": 0.7,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"},
}


class Others:
    """`ports.SdkOperations` and `ports.ProvisionedUse`."""

    def __init__(self) -> None:
        self.capacity: dict[str, int] = {"f:live": 0, "f:2": 0}
        self.changes: list[int] = []
        self.used = (0, 0)
        self.alarms: dict[str, dict[str, Any]] = {}
        self.refusal: ServiceError | None = None

    async def find(self, service: str, action: str) -> tuple[str, str] | None:
        raise AssertionError("nobody looks")

    async def call_json(
        self, context: RequestContext, service: str, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        if operation == "DescribeAlarms":
            return {"MetricAlarms": [one for arn, one in self.alarms.items() if arn == document["ActionPrefix"]]}
        named = f"{document['FunctionName']}:{document['Qualifier']}"
        if named not in self.capacity:
            raise ServiceError("ResourceNotFoundException", f"Function not found: {named}", status=404)
        if operation == "GetProvisionedConcurrencyConfig" and not self.capacity[named]:
            raise ServiceError("ProvisionedConcurrencyConfigNotFoundException", "none", status=404)
        if operation in ("PutProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig"):
            if self.refusal is not None:
                raise self.refusal
            self.capacity[named] = document.get("ProvisionedConcurrentExecutions", 0)
            self.changes.append(self.capacity[named])
        return {"RequestedProvisionedConcurrentExecutions": self.capacity[named]}

    async def use(self, function: str, qualifier: str) -> tuple[int, int] | None:
        return self.used


class Stage:
    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.clock = clock
        self.others = Others()
        self.store = store
        self.restart()

    def restart(self) -> None:
        """Another server on the same store."""
        self.service = AutoscalingService(
            self.store, self.clock, "000000000000", "us-east-1", self.others, self.others, CONTEXT.endpoint
        )

    async def __call__(self, operation: str, **params: Any) -> Any:
        return await self.service.operations[operation](CONTEXT, {**LIVE, **params})

    async def minutes(self, *used: int) -> None:
        """So many of the instances were busy, minute by minute."""
        for busy in used:
            self.clock.advance(60)
            self.others.used = (busy, self.others.capacity["f:live"])
            await self.service.scaler.look()

    async def until(self, moment: datetime) -> None:
        self.clock.advance(moment.timestamp() - self.clock.now())
        await self.service.ticker.settle()
        await self.service.scaler.settle()

    @property
    def capacity(self) -> int:
        return self.others.capacity["f:live"]


@pytest.fixture
async def stage(open_store: OpenStore, clock: ManualClock) -> Stage:
    return Stage(await open_store("mayfly.services.autoscaling", "mayfly.ticker"), clock)


async def tracked(stage: Stage, **config: Any) -> None:
    await stage("RegisterScalableTarget", MinCapacity=2, MaxCapacity=20)
    await stage(
        "PutScalingPolicy",
        PolicyName="seventy",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={**SEVENTY, **config},
    )
    await stage.service.scaler.settle()


async def test_a_policy_keeps_the_used_part_near_its_target(stage: Stage) -> None:
    await tracked(stage)
    assert stage.capacity == 2
    await stage.minutes(2, 2, 2)
    assert stage.capacity == 3
    await stage.minutes(3, 3, 3)
    assert stage.capacity == 5
    await stage.minutes(*[1] * 14)
    assert stage.capacity == 5
    await stage.minutes(1)
    assert stage.capacity == 2
    activities = (await stage("DescribeScalingActivities"))["ScalingActivities"]
    assert [one["Description"] for one in activities] == [
        f"Setting desired concurrency to {capacity}." for capacity in (2, 5, 3, 2)
    ]
    assert {one["StatusCode"] for one in activities} == {"Successful"}


async def test_suspended_scaling_waits_and_a_cooldown_survives_a_restart(stage: Stage) -> None:
    await tracked(stage, ScaleOutCooldown=600)
    await stage("RegisterScalableTarget", SuspendedState={"DynamicScalingOutSuspended": True})
    await stage.minutes(2, 2, 2, 2)
    assert stage.capacity == 2
    await stage("RegisterScalableTarget", SuspendedState={"DynamicScalingOutSuspended": False})
    await stage.minutes(2)
    assert stage.capacity == 3
    stage.others.capacity["f:live"] = 2  # somebody took it back
    stage.restart()
    await stage.minutes(2, 2, 2)
    assert stage.capacity == 2  # three again would be no further than before
    await stage.minutes(*[2] * 7)
    assert stage.capacity == 3


async def test_what_lambda_refuses_is_an_activity_that_failed(stage: Stage) -> None:
    stage.others.refusal = ServiceError("InvalidParameterValueException", "not so many", status=400)
    await tracked(stage)
    (activity,) = (await stage("DescribeScalingActivities"))["ScalingActivities"]
    assert activity["StatusCode"] == "Failed"
    assert "not so many" in activity["StatusMessage"]


async def test_scheduled_actions_set_bounds_by_a_clock_on_the_wall_once_each_over_a_restart(
    stage: Stage, clock: ManualClock
) -> None:
    clock.advance(datetime(2030, 3, 29, 12, tzinfo=UTC).timestamp() - clock.now())
    await stage("RegisterScalableTarget", MinCapacity=0, MaxCapacity=10)
    morning = {"Schedule": "cron(0 8 * * ? *)", "Timezone": "Europe/Berlin"}
    await stage(
        "PutScheduledAction",
        ScheduledActionName="morning",
        **morning,
        ScalableTargetAction={"MinCapacity": 6, "MaxCapacity": 10},
    )
    await stage(
        "PutScheduledAction",
        ScheduledActionName="night",
        Schedule="at(2030-03-30T20:00:00)",
        ScalableTargetAction={"MinCapacity": 0, "MaxCapacity": 0},
    )
    await stage.until(datetime(2030, 3, 30, 6, 59, 59, tzinfo=UTC))
    assert stage.capacity == 0
    await stage.until(datetime(2030, 3, 30, 7, tzinfo=UTC))
    assert stage.capacity == 6

    clock.advance(datetime(2030, 3, 30, 20, tzinfo=UTC).timestamp() - clock.now())
    await stage.service.ticker.settle()  # and the server dies before anything is scaled
    stage.restart()
    await stage.service.scaler.settle()
    assert stage.capacity == 0
    await stage.until(datetime(2030, 3, 31, 6, tzinfo=UTC))  # summer time began at night
    assert (stage.capacity, stage.others.changes) == (6, [6, 0, 6])
    causes = [one["Cause"] for one in (await stage("DescribeScalingActivities"))["ScalingActivities"]]
    assert causes == [f"scheduled action name {name} was triggered" for name in ("morning", "night", "morning")]


async def test_a_step_policy_follows_the_alarms_that_name_it(stage: Stage) -> None:
    await stage("RegisterScalableTarget", MinCapacity=1, MaxCapacity=9)
    steps = [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": 3},
    ]
    put = await stage(
        "PutScalingPolicy",
        PolicyName="steps",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps},
    )
    await stage.service.scaler.settle()
    await stage.minutes(0)
    assert stage.capacity == 1
    stage.others.alarms[put["PolicyARN"]] = {"StateReasonData": '{"recentDatapoints": [80, 91], "threshold": 80}'}
    await stage.minutes(0)
    assert stage.capacity == 4
    stage.others.alarms[put["PolicyARN"]]["StateReasonData"] = '{"recentDatapoints": [81], "threshold": 80}'
    await stage.minutes(0)
    assert stage.capacity == 5
    stage.others.alarms.clear()
    await stage.minutes(0)
    assert stage.capacity == 5


async def test_what_is_kept_is_listed_in_pages_and_goes_with_its_target(stage: Stage) -> None:
    await tracked(stage)
    await stage("RegisterScalableTarget", ResourceId="function:f:2", MinCapacity=0, MaxCapacity=1, Tags={"a": "b"})
    for name in ("one", "two"):
        await stage(
            "PutScheduledAction",
            ScheduledActionName=name,
            Schedule="rate(1 hour)",
            ScalableTargetAction={"MaxCapacity": 3},
        )
    query = {"ServiceNamespace": "lambda", "MaxResults": 1}
    operations = stage.service.operations

    async def pages(operation: str, member: str) -> list[Any]:
        found: list[Any] = []
        token: dict[str, Any] = {}
        while True:
            page = await operations[operation](CONTEXT, {**query, **token})
            found += page[member]
            if "NextToken" not in page:
                return found
            token = {"NextToken": page["NextToken"]}

    targets = await pages("DescribeScalableTargets", "ScalableTargets")
    assert [one["ResourceId"] for one in targets] == ["function:f:2", "function:f:live"]
    arn = {"ResourceARN": targets[0]["ScalableTargetARN"]}
    assert (await operations["ListTagsForResource"](CONTEXT, arn))["Tags"] == {"a": "b"}
    actions = await pages("DescribeScheduledActions", "ScheduledActions")
    assert [one["ScheduledActionName"] for one in actions] == ["one", "two"]
    assert [one["PolicyName"] for one in await pages("DescribeScalingPolicies", "ScalingPolicies")] == ["seventy"]
    with pytest.raises(ServiceError, match="token"):
        await operations["DescribeScalingPolicies"](CONTEXT, {**query, "NextToken": "forged"})

    await stage("DeregisterScalableTarget")
    assert await pages("DescribeScheduledActions", "ScheduledActions") == []
    assert await pages("DescribeScalingPolicies", "ScalingPolicies") == []
    await stage.minutes(2, 2, 2)
    assert stage.capacity == 2


@pytest.mark.parametrize(
    ("operation", "params", "code", "said"),
    [
        ("RegisterScalableTarget", {"ServiceNamespace": "ecs"}, "ValidationException", "Mayfly cannot scale"),
        ("RegisterScalableTarget", {"ResourceId": "function:f:$LATEST"}, "ValidationException", "QUALIFIER"),
        ("RegisterScalableTarget", {"MinCapacity": 2, "MaxCapacity": 1}, "ValidationException", "less than minimum"),
        (
            "RegisterScalableTarget",
            {"ResourceId": "function:g:1", "MinCapacity": 0, "MaxCapacity": 1},
            "ValidationException",
            "does not exist",
        ),
        ("DeregisterScalableTarget", {}, "ObjectNotFoundException", "No scalable target found"),
        ("GetPredictiveScalingForecast", {}, "ValidationException", "forecast"),
        (
            "PutScalingPolicy",
            {"PolicyName": "p", "TargetTrackingScalingPolicyConfiguration": SEVENTY},
            "ObjectNotFoundException",
            "No scalable target found",
        ),
    ],
)
async def test_what_cannot_be_is_refused(
    stage: Stage, operation: str, params: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await stage(operation, **params)
    assert refused.value.code == code
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"TargetValue": 0.95}, "0.1 to 0.9"),
        ({"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}, "no metric"),
        ({"CustomizedMetricSpecification": {"MetricName": "m", "Namespace": "n"}}, "Exactly one"),
    ],
)
async def test_a_policy_tracks_what_the_engine_knows(stage: Stage, config: dict[str, Any], said: str) -> None:
    with pytest.raises(ServiceError, match=said):
        await tracked(stage, **config)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Schedule": "every(day)"}, "schedule"),
        ({"Schedule": "rate(1 hour)", "Timezone": "Mars/Base"}, "time zone"),
        ({"Schedule": "rate(1 hour)", "ScalableTargetAction": {}}, "MinCapacity or MaxCapacity"),
        ({}, "Schedule is required"),
    ],
)
async def test_an_action_that_cannot_be_kept_is_refused(stage: Stage, params: dict[str, Any], said: str) -> None:
    await stage("RegisterScalableTarget", MinCapacity=0, MaxCapacity=1)
    usual = {"ScheduledActionName": "a", "ScalableTargetAction": {"MinCapacity": 1}}
    with pytest.raises(ServiceError, match=said):
        await stage("PutScheduledAction", **{**usual, **params})
