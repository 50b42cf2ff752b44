"""Names, pages and envelopes, for whatever an execution may be made of."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.functions.durable import envelope, names, transitions
from mayfly.services.functions.durable.model import Began, Error, Execution, Operation, Outcome, State
from mayfly.services.functions.durable.names import Token
from mayfly.services.functions.model import Durable
from mayfly.services.functions.names import Home

HOME = Home("000000000000", "us-east-1")
UUIDS = st.uuids().map(str)
ERRORS = st.builds(Error, st.none() | st.text(), st.none() | st.text(), st.none() | st.text())


def execution(execution_id: str = "e-1") -> Execution:
    began = Began(execution_id, "f", "$LATEST", "n", "arn", "arn", 1.0, Durable(60), "0")
    return Execution(began, "RUNNING", State(61.0))


@given(UUIDS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_tokens_say_where_they_belong(execution_id: str, invocation: int, checkpoint: int) -> None:
    token = Token(execution_id, invocation, checkpoint)
    text = names.token(token)
    assert re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text)
    assert names.read_token(text) == token


@given(UUIDS, st.integers(1, 3000))
def test_callbacks_say_where_they_belong(execution_id: str, number: int) -> None:
    text = names.callback(execution_id, number)
    assert re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text)
    assert names.read_callback(text) == (execution_id, number)


@given(st.text())
def test_what_is_no_token_is_none(text: str) -> None:
    found = names.read_token(text)
    assert found is None or names.token(found) == text


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:eu-west-1:000000000000:function:f:1/durable-execution/n/i",
        "arn:aws:lambda:us-east-1:111111111111:function:f:1/durable-execution/n/i",
        "arn:aws:lambda:us-east-1:000000000000:function:f",
    ],
)
def test_executions_of_elsewhere_are_not_here(arn: str) -> None:
    with pytest.raises(ServiceError, match="does not exist"):
        names.execution_id(HOME, arn)


OPERATIONS = st.lists(st.integers(0, 4000), max_size=40).map(
    lambda sizes: [
        Operation(f"o{number}", number, "STEP", "SUCCEEDED", 1.0, 2.0, result="x" * size)
        for number, size in enumerate(sizes, 1)
    ]
)


@given(OPERATIONS, st.integers(1, 10), st.integers(100, 10_000))
def test_pages_give_every_operation_once_and_in_order(operations: list[Operation], most: int, room: int) -> None:
    seen: list[int] = []
    first = 1
    while True:
        page = envelope.page(iter(operations[first - 1 :]), most, room)
        seen += [operation.number for operation in page.operations]
        assert len(page.operations) <= most
        assert len(page.operations) == 1 or sum(map(envelope.weight, page.operations)) <= room
        if page.following is None:
            break
        first = page.following
    assert seen == [operation.number for operation in operations]


@given(OPERATIONS, st.text(max_size=50))
def test_an_invocation_has_the_execution_first_and_times_in_milliseconds(
    operations: list[Operation], text: str
) -> None:
    said = json.loads(envelope.invocation(execution(), "token", text, operations, ["o1"]))
    root, *others = said["InitialExecutionState"]["Operations"]
    assert root["ExecutionDetails"]["InputPayload"] == text
    assert root["StartTimestamp"] == 1000
    assert [each["Id"] for each in others] == [operation.id for operation in operations]
    assert all(each["EndTimestamp"] == 2000 for each in others)


def test_state_that_is_too_much_for_an_invocation_is_left_for_pages() -> None:
    big = [Operation(f"o{at}", at, "STEP", "SUCCEEDED", 1.0, result="x" * 1_000_000) for at in range(1, 9)]
    said = json.loads(envelope.invocation(execution(), "token", "{}", big, []))
    state = said["InitialExecutionState"]
    assert len(state["Operations"]) == 6
    assert state["NextMarker"] == "6"
    large = json.loads(envelope.invocation(execution(), "token", "x" * 6_000_000, big, []))
    assert [each["Type"] for each in large["InitialExecutionState"]["Operations"]] == ["EXECUTION"]
    assert large["InitialExecutionState"]["NextMarker"] == "1"


@given(st.binary())
def test_an_answer_is_one_of_three_or_refused(payload: bytes) -> None:
    try:
        answer = envelope.answer(payload)
    except envelope.InvalidAnswerError:
        return
    assert answer.status in ("SUCCEEDED", "FAILED", "PENDING")


@given(st.binary())
def test_whatever_a_function_says_of_its_failure_is_an_error(payload: bytes) -> None:
    error = envelope.function_error(payload)
    said, failed = envelope.reply(Outcome(error=error))
    assert failed
    json.loads(said)


@given(ERRORS)
def test_an_error_weighs_what_it_says(error: Error) -> None:
    texts = [text for text in (error.message, error.type, error.data) if text]
    assert error.size() == sum(len(text.encode()) for text in texts)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_a_callback_is_due_at_the_first_of_its_timeouts(timeout: int, heartbeat: int, heard_at: int) -> None:
    operation = Operation(
        "c",
        1,
        "CALLBACK",
        "STARTED",
        0.0,
        timeout_at=float(timeout) if timeout else None,
        heartbeat_s=heartbeat,
    )
    due = transitions.heartbeat(operation, float(heard_at)).due_at
    moments = ([float(timeout)] if timeout else []) + ([float(heard_at + heartbeat)] if heartbeat else [])
    assert due == min(moments, default=None)
