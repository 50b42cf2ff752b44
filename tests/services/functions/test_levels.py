"""The level of isolation of functions: asked for by a tag, required by the account, given or refused."""

import asyncio

import pytest

from mayfly.services.contract import ServiceError
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, Stage


async def level(stage: Stage, **more: str) -> str:
    """At which the next call runs."""
    await stage.call("Invoke", FunctionName="f", **more)
    return stage.engine.calls[-1][0].sandbox.level


async def test_a_tag_chooses_the_level(stage: Stage) -> None:
    await stage.create(Tags={"mayfly:level": "container", "team": "a"})
    assert await level(stage) == "container"


async def test_of_which_nothing_is_said_has_the_servers_level(stage: Stage) -> None:
    await stage.create(Tags={"team": "a"})
    assert await level(stage) == "namespace"


async def test_a_level_that_cannot_be_had_is_refused_when_a_function_is_made(stage: Stage) -> None:
    with pytest.raises(ServiceError) as refusal:
        await stage.create(Tags={"mayfly:level": "gvisor"})
    assert refusal.value.code == "InvalidParameterValueException"
    assert refusal.value.message == (
        "The level of isolation 'gvisor' cannot be had here: gvisor needs a program that is not installed"
    )
    assert (await stage.call("ListFunctions"))["Functions"] == []


async def test_tagging_moves_a_function_and_its_versions_to_another_level(stage: Stage) -> None:
    await stage.create()
    await stage.call("PublishVersion", FunctionName="f")
    assert [await level(stage), await level(stage, Qualifier="1")] == ["namespace", "namespace"]
    await stage.call("TagResource", Resource=f"{ARN}f", Tags={"mayfly:level": "container"})
    assert [await level(stage), await level(stage, Qualifier="1")] == ["container", "container"]
    assert len(stage.engine.retired) == 2, "what ran at the other level is given up"
    await stage.call("UntagResource", Resource=f"{ARN}f", TagKeys=["mayfly:level"])
    assert [await level(stage), await level(stage, Qualifier="1")] == ["namespace", "namespace"]


async def test_provisioned_instances_move_to_another_level_as_well(stage: Stage) -> None:
    await stage.create()
    await stage.call("PublishVersion", FunctionName="f")
    stage.engine.available = 2
    await stage.call(
        "PutProvisionedConcurrencyConfig", FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=2
    )

    async def kept_at(level: str) -> None:
        async with asyncio.timeout(30):
            while {target.sandbox.level for target, number in stage.engine.wanted.values() if number} != {level}:
                stage.engine.arrived.clear()
                await stage.engine.arrived.wait()

    await kept_at("namespace")
    await stage.call("TagResource", Resource=f"{ARN}f", Tags={"mayfly:level": "container"})
    await kept_at("container")


async def test_a_tag_that_cannot_be_given_is_refused_and_changes_nothing(stage: Stage) -> None:
    await stage.create()
    error = await stage.refusal("TagResource", Resource=f"{ARN}f", Tags={"mayfly:level": "kata"})
    assert "kata needs a program" in error.message
    assert (await stage.call("ListTags", Resource=f"{ARN}f"))["Tags"] == {}
    await stage.call("TagResource", Resource=f"{ARN}f", Tags={"team": "b"})
    assert await level(stage) == "namespace"


async def test_a_level_that_is_gone_is_an_error_of_the_next_change(stage: Stage) -> None:
    await stage.create(Tags={"mayfly:level": "container"})
    stage.levels.discard("container")
    error = await stage.refusal("UpdateFunctionConfiguration", FunctionName="f", MemorySize=256)
    assert "The level of isolation 'container' cannot be had here" in error.message


async def test_what_the_account_requires_lifts_or_refuses_every_function(stage: Stage) -> None:
    stage.levels.add("gvisor")
    await stage.create()
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="$LATEST")
    assert await level(stage, Qualifier="live") == "namespace"
    await stage.functions.require_level("gvisor")
    assert await level(stage, Qualifier="live") == "gvisor"
    error = await stage.refusal("TagResource", Resource=f"{ARN}f", Tags={"mayfly:level": "container"})
    assert error.message == (
        "This function cannot run: the level 'container' is asked for, but at least 'gvisor' is required "
        "(tag mayfly:level)."
    )
    await stage.functions.require_level(None)
    assert await level(stage, Qualifier="live") == "namespace"


async def test_a_function_that_asks_for_less_than_is_required_meanwhile_does_not_run(stage: Stage) -> None:
    stage.levels.add("gvisor")
    await stage.create(Tags={"mayfly:level": "container"})
    await stage.functions.require_level("gvisor")
    assert (await stage.refusal("Invoke", FunctionName="f")).code == "InvalidParameterValueException"
    assert await stage.functions.level_of_each() == {"f": "none"}
    assert stage.engine.calls == []


async def test_what_the_account_requires_is_kept(open_stage: OpenStage) -> None:
    stage = await open_stage()
    await stage.functions.require_level("container")
    await stage.stop()
    again = await open_stage()
    assert again.functions.levels.accounts == "container"


async def test_a_level_that_cannot_be_had_cannot_be_required(stage: Stage) -> None:
    with pytest.raises(ServiceError, match="cannot be required: gvisor needs a program"):
        await stage.functions.require_level("gvisor")
    assert stage.functions.levels.accounts is None


async def test_the_state_says_why_a_function_cannot_run_as_long_as_that_is_so(stage: Stage) -> None:
    stage.levels.add("gvisor")
    await stage.create(Tags={"mayfly:level": "container"}, Publish=True)

    async def states() -> list[tuple[str, str | None, str | None]]:
        whole = (await stage.call("GetFunction", FunctionName="f"))["Configuration"]
        version = await stage.call("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
        return [(one["State"], one.get("StateReasonCode"), one.get("StateReason")) for one in (whole, version)]

    assert await states() == [("Active", None, None)] * 2
    await stage.functions.require_level("gvisor")
    wrong = (
        "This function cannot run: the level 'container' is asked for, but at least 'gvisor' is required "
        "(tag mayfly:level)."
    )
    assert await states() == [("Failed", "InvalidConfiguration", wrong)] * 2
    await stage.functions.require_level(None)
    assert await states() == [("Active", None, None)] * 2
    stage.levels.discard("container")
    gone = "The level of isolation 'container' cannot be had here: container needs a program that is not installed"
    assert await states() == [("Failed", "InvalidConfiguration", gone)] * 2
