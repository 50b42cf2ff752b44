"""Operations that a restart interrupts: they are gone on with, and nothing is made twice or left behind."""

import asyncio
from typing import Any

import pytest

from mayfly.services.contract import ServiceError

from .conftest import Stage, template, thing

pytestmark = pytest.mark.asyncio
BROKEN = ServiceError("Broken", "it broke")
OLD = {"A": thing(Size=1), "B": thing(Kind="x", Label={"Ref": "A"}), "Gone": thing()}
NEW = {"A": thing(Size=2), "B": thing(Kind="y", Label={"Ref": "A"}), "New": thing(Label={"Ref": "B"})}


async def interrupted(stage: Stage, key: str, operation: str, resources: Any, **params: Any) -> None:
    """Begin an operation, and restart while `key` has taken effect and not yet been answered."""
    stage.shelf.gates[key] = asyncio.Event()
    reached = stage.shelf.reached[key] = asyncio.Event()
    await stage.call(operation, StackName="s", TemplateBody=template(resources), **params)
    await reached.wait()
    await asyncio.sleep(0)
    await stage.restart()


@pytest.mark.parametrize("key", ["Create A", "Create B", "Create Gone"])
async def test_a_creation_is_finished_after_a_restart(stage: Stage, key: str) -> None:
    await interrupted(stage, key, "CreateStack", OLD)
    stack = await stage.settled()
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stage.held().keys() == {"A", "B", "Gone"}
    assert len(stage.shelf.things) == 3


@pytest.mark.parametrize("key", ["Update A", "Create B", "Create New", "Delete B", "Delete Gone"])
async def test_an_update_is_finished_after_a_restart(stage: Stage, key: str) -> None:
    await stage.create(OLD)
    await interrupted(stage, key, "UpdateStack", NEW)
    stack = await stage.settled()
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    held = stage.held()
    assert held.keys() == {"A", "B", "New"}
    assert (held["A"]["Size"], held["B"]["Kind"]) == (2, "y")
    assert len(stage.shelf.things) == 3


@pytest.mark.parametrize("key", ["Delete B", "Delete A", "Delete Gone"])
async def test_a_deletion_is_finished_after_a_restart(stage: Stage, key: str) -> None:
    stack = await stage.create(OLD)
    stage.shelf.gates[key] = asyncio.Event()
    reached = stage.shelf.reached[key] = asyncio.Event()
    await stage.call("DeleteStack", StackName="s")
    await reached.wait()
    await stage.restart()
    await stage.service.driver.settled(stack["StackId"])
    assert (await stage.stack(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"
    assert stage.shelf.things == {}


@pytest.mark.parametrize("key", ["Delete A", "Delete B"])
async def test_the_rollback_of_a_creation_is_finished_after_a_restart(stage: Stage, key: str) -> None:
    stage.shelf.fail["Create C"] = BROKEN
    await interrupted(stage, key, "CreateStack", {**OLD, "C": thing(DependsOn=["A", "B", "Gone"])})
    assert (await stage.settled())["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stage.shelf.things == {}


@pytest.mark.parametrize("key", ["Delete B", "Delete New"])
async def test_the_rollback_of_an_update_is_finished_after_a_restart(stage: Stage, key: str) -> None:
    await stage.create(OLD)
    before = dict(stage.shelf.things)
    stage.shelf.fail["Create Last"] = BROKEN
    await interrupted(stage, key, "UpdateStack", {**NEW, "Last": thing(DependsOn="New")})
    assert (await stage.settled())["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.shelf.things == before


async def test_a_failure_after_the_restart_still_rolls_back_what_was_made_before_it(stage: Stage) -> None:
    stage.shelf.fail["Create B"] = BROKEN
    await interrupted(stage, "Create A", "CreateStack", {"A": thing(), "B": thing(DependsOn="A")})
    assert (await stage.settled())["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stage.shelf.things == {}


async def test_a_restart_with_nothing_unfinished_does_nothing(stage: Stage) -> None:
    await stage.create(OLD)
    log = list(stage.shelf.log)
    await stage.restart()
    assert (await stage.settled())["StackStatus"] == "CREATE_COMPLETE"
    assert stage.shelf.log == log


async def test_many_restarts_end_in_the_same_place_as_none(stage: Stage) -> None:
    await stage.create(OLD)
    await stage.call("UpdateStack", StackName="s", TemplateBody=template(NEW))
    for _ in range(12):
        for _ in range(5):
            await asyncio.sleep(0)
        await stage.restart()
    assert (await stage.settled())["StackStatus"] == "UPDATE_COMPLETE"
    assert stage.held().keys() == {"A", "B", "New"}
    assert len(stage.shelf.things) == 3
