"""Calls that are sent ahead to a busy instance: each is run once at most, begins when the one before it has ended, and
is run elsewhere when its instance ends before that."""

import asyncio
import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.clock import SystemClock
from mayfly.engine.api import Outcome, Target
from mayfly.engine.engine import LocalEngine
from mayfly.policy import queueing
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.process import ProcessFactory

from .conftest import Recorder, call
from .scripted import Scripted, settle
from .test_sharing import Stage

SHORT = frames.QUIET | frames.took(0.00001)
SLOW = frames.QUIET | frames.took(0.1)


async def warmed(timeout_s: float = 60.0) -> tuple[Stage, Scripted]:
    """A stage whose only instance has run enough short calls, and is idle."""
    stage = Stage(concurrency=1)
    stage.target = dataclasses.replace(stage.target, timeout_s=timeout_s)
    await stage.call()
    (puppet,) = stage.factory.puppets
    await stage.ready(puppet, 1)
    await answer(stage, puppet)
    for _ in range(queueing.ENOUGH):
        await stage.call()
        await answer(stage, puppet)
    assert stage.factory.puppets == [puppet]
    assert puppet.ahead == []
    stage.calls.clear()
    puppet.seen.clear()
    stage.recorder.events.clear()
    return stage, puppet


async def answer(stage: Stage, puppet: Scripted, flags: int = SHORT) -> None:
    puppet.answer(next(iter(puppet.calls)), flags)
    await settle(stage.factory)


async def test_short_calls_wait_at_the_busy_instance_and_begin_one_after_the_other() -> None:
    stage, puppet = await warmed()
    for _ in range(3):
        await stage.call()
    assert puppet.seen == ["r0", "r1", "r2"]
    assert puppet.ahead == ["r1", "r2"]
    assert [request for _, request in stage.recorder.of("started")] == ["r0"]
    await answer(stage, puppet)
    assert [event[0] for event in stage.recorder.events] == ["started", "finished", "started"]
    await answer(stage, puppet)
    await answer(stage, puppet)
    assert [(await task).payload for task in stage.calls] == [b"r0", b"r1", b"r2"]
    assert {(await task).instance for task in stage.calls} == {"i1"}
    await stage.close()


async def test_no_more_than_a_few_wait_at_one_instance() -> None:
    stage, puppet = await warmed()
    for _ in range(queueing.MOST + 1):
        await stage.call()
    assert len(puppet.calls) == queueing.MOST
    assert len(stage.factory.puppets) == 2
    await stage.close()


async def test_after_a_call_that_was_not_short_none_waits_behind_another() -> None:
    stage, puppet = await warmed()
    await stage.call()
    await answer(stage, puppet, SLOW)
    await stage.call()
    await stage.call()
    assert puppet.ahead == []
    assert len(stage.factory.puppets) == 2
    await stage.close()


async def test_after_a_call_that_died_none_waits_behind_another() -> None:
    stage, puppet = await warmed()
    await stage.call()
    puppet.die()
    await settle(stage.factory)
    await stage.call()
    other = stage.factory.puppets[1]
    await stage.ready(other, 1)
    await answer(stage, other)
    await stage.call()
    await stage.call()
    assert other.ahead == []
    await stage.close()


async def test_none_waits_behind_a_call_that_printed() -> None:
    stage, puppet = await warmed()
    await stage.call()
    await answer(stage, puppet, SHORT & ~frames.QUIET)
    await stage.call()
    await stage.call()
    assert puppet.ahead == []
    await stage.close()


async def test_what_waited_at_an_instance_that_died_runs_elsewhere_and_what_had_begun_does_not() -> None:
    stage, puppet = await warmed()
    for _ in range(3):
        await stage.call()
    await answer(stage, puppet)  # r0 has ended, r1 runs, r2 waits
    puppet.die()
    await settle(stage.factory)
    _, other = stage.factory.puppets
    await stage.ready(other, 1)
    await answer(stage, other)
    first, second, third = [await task for task in stage.calls]
    assert (first.failure, first.instance) == (None, "i1")
    assert second.failure is not None
    assert second.failure.kind == "exited"
    assert (third.failure, third.instance, third.payload) == (None, "i2", b"r2")
    assert other.seen == ["r2"]
    assert Counter(request for _, request in stage.recorder.of("started")) == {"r0": 1, "r1": 1, "r2": 1}
    await stage.close()


async def test_an_answer_that_comes_when_the_instance_is_ended_tells_which_call_had_begun() -> None:
    stage, puppet = await warmed()
    for _ in range(3):
        await stage.call()
    puppet.answer(next(iter(puppet.calls)), SHORT)
    (view,) = stage.engine.snapshot()
    stage.engine._placement.homes["i1"].instances["i1"].end("for the test")  # before the answer is read
    await settle(stage.factory)
    assert [request for puppet in stage.factory.puppets[1:] for request in puppet.seen] == []
    await stage.ready(stage.factory.puppets[1], 1)
    assert stage.factory.puppets[1].seen == ["r2"]
    assert view.instances[0].id == "i1"
    await stage.close()


async def test_a_call_that_waits_has_all_of_its_time_when_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    stage, puppet = await warmed(timeout_s=3)
    await stage.call()
    await stage.call()
    now += 2
    await settle(stage.factory)
    await answer(stage, puppet)
    now += 2  # more than its time since it was sent, less than since it began
    await settle(stage.factory)
    await answer(stage, puppet)
    assert [(await task).failure for task in stage.calls] == [None, None]
    await stage.close()


async def test_a_retired_instance_runs_what_waits_at_it_and_ends() -> None:
    stage, puppet = await warmed()
    await stage.call()
    await stage.call()
    stage.engine.retire(stage.target.key)
    await answer(stage, puppet)
    assert puppet.alive
    await answer(stage, puppet)
    assert not puppet.alive
    assert [(await task).failure for task in stage.calls] == [None, None]
    await stage.close()


async def test_an_answer_out_of_order_is_the_end_of_the_instance() -> None:
    stage, puppet = await warmed()
    await stage.call()
    await stage.call()
    puppet.answer(list(puppet.calls)[1], SHORT)
    await settle(stage.factory)
    assert not puppet.alive
    first = await stage.calls[0]
    assert first.failure is not None
    assert first.failure.kind == "protocol"
    await stage.close()


async def test_the_next_call_may_begin_once_what_the_one_before_it_printed_was_read() -> None:
    stage, puppet = await warmed()
    await stage.call()
    await stage.call()
    puppet.write(b"of the first\nand")
    await answer(stage, puppet, SHORT & ~frames.QUIET)
    assert puppet.continued == 1
    assert stage.recorder.lines("r0") == ["of the first", "and"]
    puppet.write(b"of the second\n")
    await settle(stage.factory)
    await answer(stage, puppet)
    assert puppet.continued == 1
    assert stage.recorder.lines("r1") == ["of the second"]
    await stage.close()


STEPS = st.lists(
    st.tuples(st.sampled_from(["call", "call", "call", "answer", "answer", "slow", "ready", "die"]), st.integers(0, 5)),
    max_size=30,
)


async def play(steps: list[tuple[str, int]]) -> None:
    stage, first = await warmed()
    fresh: list[Scripted] = []
    known = {first.id}
    for what, which in steps:
        fresh += [puppet for puppet in stage.factory.puppets if puppet.id not in known]
        known |= {puppet.id for puppet in stage.factory.puppets}
        busy = [puppet for puppet in stage.living() if puppet.calls and puppet not in fresh]
        if what == "call":
            await stage.call()
        elif what == "ready" and fresh:
            await stage.ready(fresh.pop(0), 1)
        elif what in ("answer", "slow") and busy:
            await answer(stage, busy[which % len(busy)], SHORT if what == "answer" else SLOW)
        elif what == "die" and stage.living():
            stage.living()[which % len(stage.living())].die()
            await settle(stage.factory)
    outcomes = await stage.close()
    begun = Counter(request for _, request in stage.recorder.of("started"))
    assert all(count == 1 for count in begun.values())
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome, Outcome) and outcome.failure is None:
            assert outcome.payload == f"r{number}".encode()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_whatever_happens_each_call_begins_once_at_most_and_is_settled(steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(steps))


# With the runtime that Mayfly ships.

CODE = """
import os

def echo(event, context):
    if event["write"]:
        os.write(1, f"{event['n']}\\n".encode())  # past Python's streams
    if event["print"]:
        print(event["n"], end="")
    return [event["n"], context.aws_request_id, context.get_remaining_time_in_millis()]
"""


async def print_and_ask(directory: Path) -> None:
    factory, recorder = ProcessFactory(), Recorder()
    await factory.prepare("python3.11", interpreters.current())
    numbers = itertools.count(1)
    engine = LocalEngine(
        factory, recorder, SystemClock(), memory_mb=100_000, new_id=lambda: f"i{next(numbers)}", init_timeout_s=30
    )

    async def environment(instance: str) -> Mapping[str, str]:
        return {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}

    wanted = Target("k", "f", SandboxSpec("python3.11", directory), "code.echo", 30.0, environment)

    async def ask(n: int) -> Any:
        event = {"n": n, "write": n % 3 == 0, "print": n % 5 == 0}
        return await engine.invoke(wanted, call(event, f"r{n}"))

    for start in range(0, 400, 40):
        outcomes = await asyncio.gather(*(ask(n) for n in range(start, start + 40)))
        for n, outcome in enumerate(outcomes, start):
            assert outcome.failure is None
            assert outcome.payload.startswith(f'[{n}, "r{n}", '.encode())
            assert 20_000 < int(outcome.payload.rpartition(b" ")[2][:-1]) <= 30_000
    await engine.close(5)
    await factory.close()
    assert len(recorder.of("started")) == 400
    for n in range(400):
        assert recorder.lines(f"r{n}") == [str(n)] * ((n % 3 == 0) + (n % 5 == 0))
    assert engine.counters().cold_starts < 40


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_what_a_call_prints_is_its_own_however_many_wait_behind_it(
    run: Callable[[Coroutine[Any, Any, None]], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "goes_ahead", lambda pace, queued, since_s, *, idle: queued < queueing.MOST)
    (tmp_path / "code.py").write_text(CODE)
    run(print_and_ask(tmp_path))
