"""How many processors an instance may use: all that its sandbox has while it starts, then its share, and all of them
again while its calls are short."""

import asyncio
import dataclasses

from mayfly.engine.body import LIMITED_AFTER_S
from mayfly.policy import processors

from .scripted import Scripted, settle
from .test_queueing import SLOW, answer
from .test_sharing import Stage

SHARE = 0.07


async def begun(share: float | None) -> tuple[Stage, Scripted]:
    """A stage whose only instance runs its first call."""
    stage = Stage(concurrency=1)
    stage.target = dataclasses.replace(stage.target, cpus=share)
    await stage.call()
    (puppet,) = stage.factory.puppets
    assert puppet.allowed == []
    await stage.ready(puppet, 1)
    assert puppet.allowed == []
    await in_force()
    return stage, puppet


async def in_force() -> None:
    await asyncio.sleep(2 * LIMITED_AFTER_S)


async def test_an_instance_that_has_started_has_its_share() -> None:
    stage, puppet = await begun(SHARE)
    assert puppet.allowed == [SHARE]
    await stage.close()


async def test_short_calls_give_an_instance_all_and_one_that_is_not_takes_it_away() -> None:
    stage, puppet = await begun(SHARE)
    for number in range(processors.SHORT_CALLS):
        assert puppet.allowed == [SHARE]
        await answer(stage, puppet)
        await stage.call()
        assert len(puppet.seen) == number + 2
    await in_force()
    assert puppet.allowed == [SHARE, 1.0]
    await answer(stage, puppet, SLOW)
    await in_force()
    assert puppet.allowed == [SHARE, 1.0, SHARE]
    await stage.close()


async def test_what_has_a_whole_processor_anyway_is_left_alone() -> None:
    stage, puppet = await begun(None)
    await answer(stage, puppet, SLOW)
    await in_force()
    assert puppet.allowed == []
    await stage.close()


async def test_one_that_ends_with_its_first_call_is_told_nothing() -> None:
    stage = Stage(concurrency=1)
    stage.target = dataclasses.replace(stage.target, cpus=SHARE)
    await stage.call()
    (puppet,) = stage.factory.puppets
    await stage.ready(puppet, 1)
    puppet.die()
    await in_force()
    assert puppet.allowed == []
    await stage.close()


async def test_the_next_instance_of_a_function_whose_calls_are_short_has_all_from_the_start() -> None:
    stage, puppet = await begun(SHARE)
    for _ in range(processors.SHORT_CALLS):
        await answer(stage, puppet)
        await stage.call()
    await stage.call()
    await settle(stage.factory)
    other = stage.factory.puppets[1]
    await stage.ready(other, 1)
    await in_force()
    assert other.allowed == []
    await stage.close()
