"""What a function may checkpoint, with which token, and what it is told. Time is moved by hand."""

import base64
from typing import Any

import pytest

from mayfly.services.functions.durable.model import MAX_OPERATIONS, MAX_PAYLOAD
from tests.services.functions.stage import Stage

from .conftest import PENDING, Invoked, Player, callback, context, finish, invoke, step, succeeded, wait


async def test_a_function_is_invoked_with_its_input_and_a_token(player: Player) -> None:
    player.scripts = [finish]
    arn = await player.begin(b'{"order": 1}', DurableExecutionName="order-1")
    assert arn.startswith("arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST/durable-execution/order-1/")
    await player.become(arn, "SUCCEEDED")
    [invoked] = player.invoked
    [root] = invoked.event["InitialExecutionState"]["Operations"]
    assert invoked.arn == arn
    assert root["Id"] == arn.rpartition("/")[2]
    assert (root["Type"], root["Status"], root["Name"]) == ("EXECUTION", "STARTED", "order-1")
    assert root["ExecutionDetails"] == {"InputPayload": '{"order": 1}'}
    assert root["StartTimestamp"] == round(player.stage.clock.now() * 1000)
    assert invoked.event["InitialExecutionState"]["NextMarker"] == ""
    assert invoked.event["UpdatedOperationIds"] == [root["Id"]]


async def test_a_checkpoint_says_what_became_of_its_updates(player: Player) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        reply = await invoked.checkpoint(step("START"), step("SUCCEED", Payload="42"))
        [operation] = reply["NewExecutionState"]["Operations"]
        assert (operation["Id"], operation["Status"]) == ("s1", "SUCCEEDED")
        assert operation["StepDetails"] == {"Attempt": 1, "Result": "42"}
        assert (await invoked.checkpoint())["NewExecutionState"]["Operations"] == []
        return succeeded("ok")

    player.scripts = [script]
    found = await player.become(await player.begin(), "SUCCEEDED", "FAILED")
    assert found["Result"] == '"ok"'


async def test_a_token_is_good_once(player: Player) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        first = invoked.token
        await invoked.checkpoint(step("START"))
        for token, message in (
            (first, "Invalid checkpoint token"),
            (base64.b64encode(b"forged").decode(), "Invalid checkpoint token"),
            ("0" * 32 + "T1T1", "Checkpoint token is not valid for the durable execution ARN"),
        ):
            error = await invoked.stage.refusal(
                "CheckpointDurableExecution", DurableExecutionArn=invoked.arn, CheckpointToken=token, Updates=[]
            )
            assert (error.code, error.message) == ("InvalidParameterValueException", message)
        return succeeded("ok")

    player.scripts = [script]
    found = await player.become(await player.begin(), "SUCCEEDED", "FAILED")
    assert found["Status"] == "SUCCEEDED", found


async def test_a_checkpoint_that_is_sent_again_has_the_answer_that_it_had(player: Player) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        first = invoked.token
        answer = await invoked.checkpoint(wait(5), ClientToken="ct-1")
        invoked.token = first
        again = await invoked.checkpoint(wait(5), ClientToken="ct-1")
        assert again == answer
        invoked.token = first
        error = await invoked.stage.refusal(
            "CheckpointDurableExecution",
            DurableExecutionArn=invoked.arn,
            CheckpointToken=first,
            ClientToken="ct-2",
            Updates=[],
        )
        assert error.message == "Invalid checkpoint token"
        return succeeded("ok")

    player.scripts = [script]
    arn = await player.begin()
    found = await player.become(arn, "SUCCEEDED", "FAILED")
    assert found["Status"] == "SUCCEEDED", found
    assert [each["EventType"] for each in await player.history(arn)].count("WaitStarted") == 1


REFUSED: list[tuple[list[dict[str, Any]], str]] = [
    ([step("CANCEL")], "Invalid action for the given operation type."),
    ([step("START"), step("START")], "Cannot checkpoint multiple operations with the same ID."),
    ([wait(1), wait(1)], "Cannot checkpoint multiple operations with the same ID."),
    ([step("START", ParentId="nobody")], "Invalid parent operation id."),
    ([step("START"), step("START", "s2", ParentId="s1")], "Invalid parent operation id."),
    ([step("RETRY", Error={})], "Invalid StepOptions for the given action."),
    (
        [step("RETRY", Error={}, Payload="1", StepOptions={"NextAttemptDelaySeconds": 1})],
        "Cannot provide both error and payload to RETRY a STEP.",
    ),
    ([step("FAIL", Payload="1")], "Cannot provide a Payload for FAIL action."),
    ([step("SUCCEED", Error={})], "Cannot provide an Error for SUCCEED action."),
    (
        [{"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED"}, step("START")],
        "EXECUTION checkpoint must be the last update.",
    ),
    (
        [{"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED"}, {"Id": "f", "Type": "EXECUTION", "Action": "SUCCEED"}],
        "Cannot checkpoint multiple EXECUTION updates.",
    ),
    (
        [{"Id": "w", "Type": "WAIT", "Action": "CANCEL"}],
        "Cannot cancel a WAIT that does not exist or has already completed.",
    ),
    (
        [step("SUCCEED", Payload="x" * (MAX_PAYLOAD + 1))],
        f"STEP payload size must be less than or equal to {MAX_PAYLOAD} bytes.",
    ),
    (
        [step("FAIL", Error={"ErrorMessage": "x" * (MAX_PAYLOAD + 1)})],
        f"Error object size must be less than or equal to {MAX_PAYLOAD} bytes.",
    ),
]


@pytest.mark.parametrize(("updates", "message"), REFUSED, ids=[message for _, message in REFUSED])
async def test_what_makes_no_sense_is_refused_as_a_whole(
    player: Player, updates: list[dict[str, Any]], message: str
) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        error = await invoked.stage.refusal(
            "CheckpointDurableExecution",
            DurableExecutionArn=invoked.arn,
            CheckpointToken=invoked.token,
            Updates=[step("START", "before"), *updates],
        )
        assert (error.code, error.message) == ("InvalidParameterValueException", message)
        state = await invoked.stage.call(
            "GetDurableExecutionState", DurableExecutionArn=invoked.arn, CheckpointToken=invoked.token
        )
        assert len(state["Operations"]) == 1, "nothing was kept"
        return succeeded("ok")

    player.scripts = [script]
    found = await player.become(await player.begin(), "SUCCEEDED", "FAILED")
    assert found["Status"] == "SUCCEEDED", found


async def test_what_is_known_keeps_its_type_name_and_place(player: Player) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(context("START"), step("START"), step("SUCCEED"))
        for update, message in (
            (step("START"), "Invalid current STEP state to start."),
            (step("SUCCEED"), "Invalid current STEP state to close."),
            (step("RETRY", StepOptions={"NextAttemptDelaySeconds": 1}), "Invalid current STEP state to re-attempt."),
            (context("START"), "Cannot start a CONTEXT that already exist."),
            ({**step("SUCCEED"), "Type": "CONTEXT"}, "Inconsistent operation type."),
            ({**step("SUCCEED"), "Name": "other"}, "Inconsistent operation name."),
            ({**step("SUCCEED"), "SubType": "Other"}, "Inconsistent operation subtype."),
            (step("SUCCEED", ParentId="x1"), "Inconsistent parent operation id."),
        ):
            error = await invoked.stage.refusal(
                "CheckpointDurableExecution",
                DurableExecutionArn=invoked.arn,
                CheckpointToken=invoked.token,
                Updates=[update],
            )
            assert error.message == message
        return succeeded("ok")

    player.scripts = [script]
    found = await player.become(await player.begin(), "SUCCEEDED", "FAILED")
    assert found["Status"] == "SUCCEEDED", found


async def test_an_execution_has_so_many_operations_and_no_more(player: Player) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        for first in range(0, MAX_OPERATIONS, 500):
            await invoked.checkpoint(*(step("START", f"s{first + at}") for at in range(500)))
        error = await invoked.stage.refusal(
            "CheckpointDurableExecution",
            DurableExecutionArn=invoked.arn,
            CheckpointToken=invoked.token,
            Updates=[step("START", "one-more")],
        )
        assert error.message == "A durable execution can have at most 3000 operations."
        return succeeded("ok")

    player.scripts = [script]
    found = await player.become(await player.begin(), "SUCCEEDED", "FAILED")
    assert found["Status"] == "SUCCEEDED", found


async def test_a_result_may_be_checkpointed_instead_of_answered(player: Player) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        token = invoked.token
        reply = await invoked.checkpoint(
            {"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED", "Payload": '"kept"'}, ClientToken="last"
        )
        assert "CheckpointToken" not in reply
        invoked.token = token
        again = await invoked.checkpoint(ClientToken="last")
        assert "CheckpointToken" not in again
        return {"Status": "SUCCEEDED", "Result": ""}

    player.scripts = [script]
    arn = await player.begin()
    assert (await player.become(arn, "SUCCEEDED"))["Result"] == '"kept"'
    await player.happens(arn, "InvocationCompleted")


async def test_what_a_closed_context_is_made_of_is_left_out_unless_it_asks_for_it(player: Player) -> None:
    async def first(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(
            context("START", "closed"),
            context("START", "inner", ParentId="closed"),
            step("SUCCEED", "deep", ParentId="inner", Payload="1"),
            context("START", "kept"),
            step("SUCCEED", "shallow", ParentId="kept", Payload="2"),
        )
        await invoked.checkpoint(
            context("SUCCEED", "inner", ParentId="closed", ContextOptions={"ReplayChildren": True}),
            context("SUCCEED", "closed", Payload="3"),
            context("SUCCEED", "kept", ContextOptions={"ReplayChildren": True}),
            wait(1),
        )
        return PENDING

    async def second(invoked: Invoked) -> dict[str, Any]:
        assert list(invoked.operations)[1:] == ["closed", "kept", "shallow", "w1"]
        assert invoked.operations["kept"]["ContextDetails"] == {"ReplayChildren": True}
        return succeeded("ok")

    player.scripts = [first, second]
    arn = await player.begin()
    await player.happens(arn, "InvocationCompleted")
    player.stage.pass_time(1)
    found = await player.become(arn, "SUCCEEDED", "FAILED")
    assert found["Status"] == "SUCCEEDED", found


async def test_state_comes_in_pages(player: Player) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        await invoked.checkpoint(*(step("START", f"s{at}") for at in range(25)))
        seen: list[str] = []
        marker: dict[str, str] = {}
        while True:
            page = await invoked.stage.call(
                "GetDurableExecutionState",
                DurableExecutionArn=invoked.arn,
                CheckpointToken=invoked.token,
                MaxItems=7,
                **marker,
            )
            seen += [each["Id"] for each in page["Operations"]]
            if "NextMarker" not in page:
                break
            marker = {"Marker": page["NextMarker"]}
        assert seen[1:] == [f"s{at}" for at in range(25)]
        error = await invoked.stage.refusal(
            "GetDurableExecutionState",
            DurableExecutionArn=invoked.arn,
            CheckpointToken=invoked.token,
            Marker="bogus",
        )
        assert error.message == "Invalid Marker"
        return succeeded("ok")

    player.scripts = [script]
    found = await player.become(await player.begin(), "SUCCEEDED", "FAILED")
    assert found["Status"] == "SUCCEEDED", found


async def test_what_cannot_be_invoked_has_failed_when_the_checkpoint_is_answered(player: Player) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        reply = await invoked.checkpoint(invoke("f", Payload="{}"), invoke("nobody", "i2", Payload="{}"))
        first, second = reply["NewExecutionState"]["Operations"]
        assert (first["Status"], second["Status"]) == ("FAILED", "FAILED")
        assert first["ChainedInvokeDetails"]["Error"] == {
            "ErrorType": "InvalidParameterValueException",
            "ErrorMessage": "You cannot invoke a durable function using an unqualified ARN.",
        }
        assert second["ChainedInvokeDetails"]["Error"]["ErrorType"] == "ResourceNotFoundException"
        return succeeded("ok")

    player.scripts = [script]
    arn = await player.begin()
    found = await player.become(arn, "SUCCEEDED", "FAILED")
    assert found["Status"] == "SUCCEEDED", found
    assert [each["EventType"] for each in await player.history(arn)][1:3] == [
        "ChainedInvokeStarted",
        "ChainedInvokeFailed",
    ]


async def test_a_stopped_execution_takes_no_checkpoint(player: Player, stage: Stage) -> None:
    async def script(invoked: Invoked) -> dict[str, Any]:
        await stage.call("StopDurableExecution", DurableExecutionArn=invoked.arn)
        error = await stage.refusal(
            "CheckpointDurableExecution",
            DurableExecutionArn=invoked.arn,
            CheckpointToken=invoked.token,
            Updates=[callback()],
        )
        assert error.message == "Invalid checkpoint token"
        return succeeded("too late")

    player.scripts = [script]
    arn = await player.begin()
    kinds = await player.happens(arn, "InvocationCompleted")
    assert kinds == ["ExecutionStarted", "ExecutionStopped", "InvocationCompleted"]
    found = await player.become(arn, "STOPPED")
    assert "Result" not in found
