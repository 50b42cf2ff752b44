"""A first call that its runtime gets before it is ready: it begins when that is, once; what it prints is its own."""

import asyncio
import dataclasses
import itertools
from pathlib import Path

import pytest
import uvloop

from mayfly.clock import SystemClock
from mayfly.engine.engine import LocalEngine
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.process import ProcessFactory

from .conftest import Recorder, call, target
from .scripted import Scripted, settle
from .test_sharing import Stage

ROUNDS = 12


async def sent(stage: Stage) -> Scripted:
    """A runtime that has its first call, and has not loaded the code."""
    await stage.call()
    (puppet,) = stage.factory.puppets
    assert [request for _, request in stage.recorder.of("started")] == []
    return puppet


async def test_it_begins_when_the_runtime_is_ready() -> None:
    stage = Stage(concurrency=1)
    puppet = await sent(stage)
    assert [early.flags for early in puppet._early] == [frames.AHEAD]
    await stage.ready(puppet, 1)
    assert puppet.seen == ["r0"]
    assert [event[0] for event in stage.recorder.events] == ["started"]
    puppet.answer(1)
    await settle(stage.factory)
    outcome = await stage.calls[0]
    assert (outcome.payload, outcome.cold) == (b"r0", True)
    await stage.close()


async def test_ready_and_answer_that_come_at_once_are_a_call_like_any_other() -> None:
    stage = Stage(concurrency=1)
    puppet = await sent(stage)
    ready = frames.encode(frames.READY, {"init_ms": 1.0}, flags=frames.QUIET)
    puppet.write(b"of the call\n")
    puppet._say(ready + frames.encode_result(1, b"r0"))
    await settle(stage.factory)
    assert (await stage.calls[0]).failure is None
    assert stage.recorder.lines("r0") == ["of the call"]
    assert [event[0] for event in stage.recorder.events] == ["started", "output", "finished"]
    await stage.call()
    puppet.loading = False
    puppet.look()
    assert len(stage.factory.puppets) == 1
    await stage.close()


async def test_what_is_in_the_pipe_when_init_may_be_done_is_not_taken_for_inits() -> None:
    """The runtime was ready, in silence, and the call prints; the pipe is looked at before that is heard."""
    stage = Stage(concurrency=1)
    puppet = await sent(stage)
    (instance,) = stage.engine._placement.instances()
    assert instance._ends is not None
    puppet._say(frames.encode(frames.READY, {"init_ms": 1.0}, flags=frames.QUIET))
    puppet.write(b"of the call\n")
    instance._ends.output._readable()
    assert stage.recorder.of("output") == []
    await settle(stage.factory)
    assert [event[0] for event in stage.recorder.events] == ["started", "output"]
    await stage.close()


async def test_an_init_that_fails_twice_fails_it_and_it_has_not_begun() -> None:
    stage = Stage(concurrency=1)
    (await sent(stage)).fail_init()
    await settle(stage.factory)
    first, second = stage.factory.puppets
    assert (len(first._early), second._early) == (1, [])
    second.fail_init()
    await settle(stage.factory)
    assert (first.seen, second.seen) == ([], [])
    outcome = await stage.calls[0]
    assert outcome.failure is not None
    assert outcome.failure.kind == "init-raised"
    await stage.close()


async def test_one_that_began_as_the_time_of_init_was_over_is_not_run_again() -> None:
    stage = Stage(concurrency=1)
    puppet = await sent(stage)
    (instance,) = stage.engine._placement.instances()
    puppet._say(frames.encode(frames.READY, {"init_ms": 1.0}, flags=frames.QUIET))
    instance._condemn("init-timeout")  # before that was heard
    await settle(stage.factory)
    outcome = await stage.calls[0]
    assert outcome.failure is not None
    assert outcome.failure.kind == "init-timeout"
    assert len(stage.factory.puppets) == 1
    await stage.close()


async def test_the_time_of_init_is_not_over_before_all_was_heard() -> None:
    stage = Stage(concurrency=1)
    puppet = await sent(stage)
    (instance,) = stage.engine._placement.instances()
    puppet._say(frames.encode(frames.READY, {"init_ms": 1.0}, flags=frames.QUIET))
    instance._due()
    await settle(stage.factory)
    assert [event[0] for event in stage.recorder.events] == ["started"]
    await stage.close()


async def test_one_whose_init_takes_too_long_is_sent_once_more_when_that_is_done() -> None:
    stage = Stage(concurrency=1)
    await sent(stage)
    (instance,) = stage.engine._placement.instances()
    instance._due()
    await settle(stage.factory)
    _, other = stage.factory.puppets
    assert other._early == []
    await stage.ready(other, 1)
    assert (other.seen, other.ahead) == (["r0"], [])
    await stage.close()


async def test_runtimes_that_cannot_tell_get_it_when_they_are_ready() -> None:
    stage = Stage(concurrency=1)
    sandbox = dataclasses.replace(stage.target.sandbox, runtime="nodejs22.x")
    stage.target = dataclasses.replace(stage.target, sandbox=sandbox)
    puppet = await sent(stage)
    puppet.look()
    assert puppet._early == []
    await stage.ready(puppet, 1)
    assert puppet.seen == ["r0"]
    await stage.close()


SPEAKS = """
import sys, time
print("init of", __name__)
sys.stderr.write("unfinished")
def handler(event, context):
    print("call", event)
    return event
"""


def spoken(runner: asyncio.Runner, code: Path) -> None:
    async def main() -> None:
        factory, recorder = ProcessFactory(), Recorder()
        numbers = itertools.count(1)
        engine = LocalEngine(factory, recorder, SystemClock(), memory_mb=4096, new_id=lambda: f"i{next(numbers)}")
        try:
            await factory.prepare("python", interpreters.current())
            made = [
                dataclasses.replace(target("app.handler"), key=f"k{n}", sandbox=SandboxSpec("python", code))
                for n in range(ROUNDS)
            ]
            outcomes = await asyncio.gather(*(engine.invoke(each, call(n, f"r{n}")) for n, each in enumerate(made)))
            assert [outcome.payload for outcome in outcomes] == [str(n).encode() for n in range(ROUNDS)]
        finally:
            await engine.close(5)
            await factory.close()
        for outcome in outcomes:
            assert outcome.failure is None
            events = [event for event in recorder.events if event[1] == outcome.instance]
            kinds = [event[0] for event in events]
            said = [event[-1] for event in events if event[0] == "output"]
            number = outcome.payload.decode()
            assert said == ["init of app", "unfinished", f"call {number}"]
            assert kinds.index("started") == 2

    runner.run(main())


@pytest.mark.parametrize("policy", ["asyncio", "uvloop"])
def test_what_init_printed_comes_before_the_call_and_what_the_call_printed_behind_it(
    policy: str, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(SPEAKS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if policy == "uvloop" else None) as runner:
        spoken(runner, tmp_path)


async def test_one_whose_init_is_repeated_waits_where_another_call_has_taken_its_place() -> None:
    """However an instance ends, there are no more than may be."""
    stage = Stage(concurrency=1)
    stage.target = dataclasses.replace(stage.target, most_instances=1)
    await sent(stage)
    (instance,) = stage.engine._placement.instances()
    instance._due()
    await stage.call()  # before it is known how the first one ended
    _, second = stage.factory.puppets
    await stage.ready(second, 1)
    assert second.seen == ["r1"]
    second.answer(1)
    await settle(stage.factory)
    assert second.seen == ["r1", "r0"]
    second.answer(2)
    await settle(stage.factory)
    assert [(await one).payload for one in stage.calls] == [b"r0", b"r1"]
    assert len(stage.factory.puppets) == 2
    await stage.close()
