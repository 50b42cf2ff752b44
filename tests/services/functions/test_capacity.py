"""How many calls an instance runs at a time: what may be asked for, what is shown, and what the engine is told."""

from typing import Any

import pytest

from mayfly.services.functions import capacity
from mayfly.services.functions.model import Capacity
from tests.services.functions.stage import ARN, Stage
from tests.services.functions.test_provisioned import told

MACHINE = ARN.replace(":function:", ":capacity-provider:mayfly")


def config(**managed: Any) -> dict[str, Any]:
    return {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": MACHINE, **managed}}


async def test_a_function_may_say_how_many_calls_its_instances_run(stage: Stage) -> None:
    asked = config(PerExecutionEnvironmentMaxConcurrency=20, ExecutionEnvironmentMemoryGiBPerVCpu=4.0)
    created = await stage.create(CapacityProviderConfig=asked, MemorySize=10_240)
    assert created["CapacityProviderConfig"] == asked
    assert (await stage.call("GetFunctionConfiguration", FunctionName="f"))["CapacityProviderConfig"] == asked
    await stage.call("Invoke", FunctionName="f")
    (target, _) = stage.engine.calls[0]
    assert target.concurrency == 20
    assert target.sandbox.cpus == 2.5
    environment = await target.environment("i-1")
    assert environment["AWS_LAMBDA_MAX_CONCURRENCY"] == "20"
    assert environment["AWS_LAMBDA_INITIALIZATION_TYPE"] == "lambda-managed-instances"


async def test_a_function_that_does_not_say_runs_one_call_at_a_time(stage: Stage) -> None:
    assert "CapacityProviderConfig" not in await stage.create()
    await stage.call("Invoke", FunctionName="f")
    (target, _) = stage.engine.calls[0]
    assert target.concurrency == 1
    assert "AWS_LAMBDA_MAX_CONCURRENCY" not in await target.environment("i-1")


async def test_it_may_be_changed_later_and_gets_new_instances_then(stage: Stage) -> None:
    await stage.create()
    await stage.call("Invoke", FunctionName="f")
    changed = config(PerExecutionEnvironmentMaxConcurrency=2)
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", CapacityProviderConfig=changed)
    shown = await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    assert shown["CapacityProviderConfig"] == changed
    await stage.call("Invoke", FunctionName="f")
    (before, _), (after, _) = stage.engine.calls
    assert (before.concurrency, after.concurrency) == (1, 2)
    assert before.key in stage.engine.retired


async def test_a_published_version_keeps_what_it_was_published_with(stage: Stage) -> None:
    asked = config(PerExecutionEnvironmentMaxConcurrency=8)
    await stage.create(CapacityProviderConfig=asked, Publish=True)
    other = config(PerExecutionEnvironmentMaxConcurrency=3)
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", CapacityProviderConfig=other)
    await stage.call("Invoke", FunctionName="f", Qualifier="1")
    assert stage.engine.calls[0][0].concurrency == 8
    shown = await stage.call("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert shown["CapacityProviderConfig"] == asked


async def test_another_capacity_provider_does_not_exist_and_the_refusal_names_the_one_that_does(stage: Stage) -> None:
    other = config(CapacityProviderArn=MACHINE.replace("mayfly", "fleet"))
    await stage.create("g")
    error = await stage.refusal("UpdateFunctionConfiguration", FunctionName="g", CapacityProviderConfig=other)
    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert MACHINE in error.message
    assert "CapacityProviderConfig" not in await stage.call("GetFunctionConfiguration", FunctionName="g")


@pytest.mark.parametrize(
    ("asked", "memory_mb", "calls"),
    [
        (None, 10_240, 1),
        (Capacity("p", 7), 128, 7),
        (Capacity("p"), 128, 16),
        (Capacity("p"), 8192, 64),
        (Capacity("p", memory_gib_per_cpu=8.0), 8192, 16),
    ],
)
def test_an_instance_runs_sixteen_calls_for_each_processor_unless_it_is_told(
    asked: Capacity | None, memory_mb: int, calls: int
) -> None:
    assert capacity.calls_at_a_time(asked, memory_mb) == calls


async def test_instances_that_a_scaling_configuration_keeps_are_like_the_others(stage: Stage) -> None:
    await stage.create(CapacityProviderConfig=config(), Publish=True)
    bounds = {"MinExecutionEnvironments": 1}
    await stage.call("PutFunctionScalingConfig", FunctionName="f", Qualifier="1", FunctionScalingConfig=bounds)
    await told(stage, v1=1)
    ((target, _),) = stage.engine.wanted.values()
    assert (await target.environment("i-1"))["AWS_LAMBDA_INITIALIZATION_TYPE"] == "lambda-managed-instances"
