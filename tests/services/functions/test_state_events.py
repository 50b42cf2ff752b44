"""What the event bus hears of functions."""

from typing import Any

import msgspec

from mayfly.services.functions import state_events
from mayfly.services.functions.model import Function, Update
from tests.services.functions.stage import ARN, Stage


async def function_of(stage: Stage) -> Function:
    await stage.create()
    found: Function = (await stage.functions.catalog.get("f")).function
    return found


def told(old: Function | None, new: Function | None) -> tuple[str, dict[str, Any]] | None:
    event = state_events.told(old, new, f"{ARN}f")
    return None if event is None else (event.detail_type, event.detail)


async def test_creation_and_deletion_are_told(stage: Stage) -> None:
    function = await function_of(stage)
    created = told(None, function)
    assert created is not None
    assert created[0] == "Function Created"
    assert created[1]["state"] == "Active"
    assert told(function, None) == ("Function Deleted", {"function-name": "f", "function-arn": f"{ARN}f"})


async def test_a_change_of_state_says_what_it_was_and_why_it_is(stage: Stage) -> None:
    active = await function_of(stage)
    failed = msgspec.structs.replace(active, state="Failed", state_reason="no image", state_reason_code="ImageDeleted")
    event = told(active, failed)
    assert event is not None
    assert event[0] == "Function State Change"
    assert (event[1]["previous-state"], event[1]["state"]) == ("Active", "Failed")
    assert (event[1]["state-reason"], event[1]["state-reason-code"]) == ("no image", "ImageDeleted")


async def test_an_update_that_is_under_way_is_a_change_of_state(stage: Stage) -> None:
    settled = await function_of(stage)
    updating = msgspec.structs.replace(settled, update=Update(settled.code))
    event = told(settled, updating)
    assert event is not None
    assert event[0] == "Function State Change"
    assert (event[1]["previous-last-update-status"], event[1]["last-update-status"]) == ("Successful", "InProgress")


async def test_what_changes_nothing_of_a_function_is_not_told(stage: Stage) -> None:
    function = await function_of(stage)
    assert told(function, msgspec.structs.replace(function, revision_id="other")) is None
