"""The engine on the sandboxes that Mayfly ships, with the managed Python runtime in them."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import SystemClock
from mayfly.engine.api import Call, Target
from mayfly.engine.engine import LocalEngine
from mayfly.engine.limits import Limits
from mayfly.sandbox.api import SandboxFactory, SandboxSpec

from .conftest import Recorder, result

CODE = """
import ctypes, os, sys, time

def echo(event, context):
    return event

def context(event, context):
    return {"id": context.aws_request_id, "arn": context.invoked_function_arn,
            "left_ms": context.get_remaining_time_in_millis(), "variable": os.environ["VARIABLE"]}

def prints(event, context):
    for number in range(event["lines"]):
        print("line", number)
    print("an error", file=sys.stderr)

def raises(event, context):
    raise ValueError("no such luck")

def sleeps(event, context):
    print("going to sleep")
    time.sleep(3600)

def leaves(event, context):
    os._exit(event["status"])

def exits(event, context):
    sys.exit(4)

def crashes(event, context):
    ctypes.string_at(0)

def hogs(event, context):
    held = []
    while True:
        held.append(b"x" * (8 << 20))
"""
SLOW = "import time\nprint('loading')\ntime.sleep(1.2)\ndef handler(event, context):\n    return 'loaded'\n"


@pytest.fixture
def factory(real_factory: SandboxFactory) -> SandboxFactory:
    return real_factory


@pytest.fixture
async def engine(factory: SandboxFactory, recorder: Recorder) -> AsyncIterator[LocalEngine]:
    numbers = itertools.count(1)
    made = LocalEngine(
        factory,
        recorder,
        SystemClock(),
        memory_mb=32_768,
        new_id=lambda: f"i{next(numbers)}",
        init_timeout_s=10,
        limits=Limits(starts_at_once=300),
    )
    yield made
    await made.close(0)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    directory = tmp_path / "code"
    directory.mkdir()
    (directory / "functions.py").write_text(CODE)
    (directory / "slow.py").write_text(SLOW)
    (directory / "broken.py").write_text("print('loading')\nraise RuntimeError('this module does not load')\n")
    directory.chmod(0o755)  # sandboxes run as somebody else
    return directory


def target(code: Path, handler: str, timeout_s: float = 60.0, memory_mb: int = 256) -> Target:
    async def environment(instance: str) -> Mapping[str, str]:
        return {"VARIABLE": instance}

    spec = SandboxSpec("python3.11", code, memory_mb=memory_mb)
    return Target(handler, handler, spec, handler, timeout_s, environment)


def call(event: Any = None, request_id: str = "r") -> Call:
    return Call(request_id, json.dumps(event).encode(), "arn:aws:lambda:us-east-1:000000000000:function:f")


async def test_a_cold_and_a_warm_call(engine: LocalEngine, code: Path) -> None:
    made = target(code, "functions.echo")
    first = await engine.invoke(made, call({"a": "ü"}))
    second = await engine.invoke(made, call(2))

    assert (result(first), result(second)) == ({"a": "ü"}, 2)
    assert (first.cold, second.cold, second.instance) == (True, False, first.instance)
    assert second.peak_memory_bytes > 1 << 20


async def test_the_context_of_a_cold_call_has_its_whole_time_left(engine: LocalEngine, code: Path) -> None:
    seen = result(await engine.invoke(target(code, "functions.context", timeout_s=600), call(request_id="r-1")))

    assert (seen["id"], seen["variable"]) == ("r-1", "i1")
    assert seen["arn"].endswith(":function:f")
    assert 0 < seen["left_ms"] <= 600_000


async def test_output_is_complete_and_in_order(engine: LocalEngine, code: Path, recorder: Recorder) -> None:
    for number in range(3):
        await engine.invoke(target(code, "functions.prints"), call({"lines": 3000}, f"r{number}"))
        assert recorder.lines(f"r{number}") == [f"line {n}" for n in range(3000)] + ["an error"]
    kinds = [key for key, _ in itertools.groupby(event[0] for event in recorder.events)]
    assert kinds == ["started", "output", "finished"] * 3


async def test_an_exception_carries_the_error_object(engine: LocalEngine, code: Path) -> None:
    outcome = await engine.invoke(target(code, "functions.raises"), call())

    assert outcome.failure is not None
    assert outcome.failure.kind == "raised"
    error = json.loads(outcome.failure.payload)
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such luck")


async def test_a_module_that_does_not_load_is_a_failure_of_init(
    engine: LocalEngine, code: Path, recorder: Recorder
) -> None:
    outcome = await engine.invoke(target(code, "broken.handler"), call())

    assert outcome.failure is not None
    assert outcome.failure.kind == "init-raised"
    assert json.loads(outcome.failure.payload)["errorMessage"] == "this module does not load"
    assert recorder.lines("r")[0] == "loading"


@pytest.mark.parametrize(
    ("handler", "event", "status", "signal"),
    [
        ("functions.leaves", {"status": 5}, 5, None),
        ("functions.exits", None, 4, None),
        ("functions.crashes", None, None, 11),
    ],
)
async def test_ways_to_end_are_told_apart(
    engine: LocalEngine, code: Path, handler: str, event: Any, status: int | None, signal: int | None
) -> None:
    outcome = await engine.invoke(target(code, handler), call(event))

    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.exit_status, outcome.failure.signal) == ("exited", status, signal)


async def test_a_call_that_takes_too_long_is_killed(engine: LocalEngine, code: Path, recorder: Recorder) -> None:
    outcome = await engine.invoke(target(code, "functions.sleeps", timeout_s=1), call())

    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.duration_ms) == ("timeout", 1000)
    assert recorder.lines("r") == ["going to sleep"]


async def test_init_may_take_longer_than_the_timeout_of_the_function(engine: LocalEngine, code: Path) -> None:
    outcome = await engine.invoke(target(code, "slow.handler", timeout_s=1), call())

    assert result(outcome) == "loaded"
    assert outcome.init_ms is not None
    assert outcome.init_ms > outcome.duration_ms


async def test_two_hundred_calls_at_once_are_all_answered(engine: LocalEngine, code: Path, level: str) -> None:
    made = target(code, "functions.echo", memory_mb=128)
    at_once = 200 if level == "namespace" else 20
    outcomes = await asyncio.gather(*(engine.invoke(made, call(number)) for number in range(at_once)))

    assert [result(outcome) for outcome in outcomes] == list(range(at_once))
    assert len({outcome.instance for outcome in outcomes}) == at_once


@pytest.mark.parametrize("level", [pytest.param("namespace", marks=pytest.mark.root)])
async def test_running_out_of_memory_is_told_apart(engine: LocalEngine, code: Path) -> None:
    outcome = await engine.invoke(target(code, "functions.hogs", memory_mb=128), call())

    assert outcome.failure is not None
    assert outcome.failure.kind == "out-of-memory"
    assert outcome.peak_memory_bytes > 100 << 20
    assert result(await engine.invoke(target(code, "functions.echo"), call(1))) == 1
