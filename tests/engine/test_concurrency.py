"""Several calls at a time on one instance, with the runtime that Mayfly ships."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import SystemClock
from mayfly.engine.api import Outcome, Target
from mayfly.engine.engine import LocalEngine
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.process import ProcessFactory

from .conftest import Recorder, call, result

CODE = '''
import asyncio, contextvars, logging, os, subprocess, sys, threading, time

logging.getLogger().setLevel("INFO")
running = 0
most = 0
gate = None
served = 0

async def echo(event, context):
    return {"event": event, "id": context.aws_request_id, "pid": os.getpid()}

async def together(event, context):
    """Answers when as many run as the event says."""
    global running, most, gate
    if gate is None:
        gate = asyncio.Event()
    running += 1
    most = max(most, running)
    print("arrived", event["number"])
    if running >= event["wait_for"]:
        gate.set()
    await gate.wait()
    print("left", end="")
    logging.info("said by %s", event["number"])
    return {"most": most, "pid": os.getpid(), "id": context.aws_request_id}

async def does(event, context):
    global served
    served += 1
    what = event["what"]
    if what == "raise":
        raise ValueError(event["number"])
    if what == "hang":
        await asyncio.sleep(3600)
    if what == "insist":
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                print("not me")
    if what == "late":
        await asyncio.sleep(event["s"])
        print("too late")
    if what == "meet":
        while not os.path.exists(event["door"]):
            await asyncio.sleep(0.01)
    if what == "block":
        time.sleep(3600)
    if what == "die":
        os._exit(7)
    if what == "exit":
        sys.exit(3)
    if what == "cancel":
        asyncio.current_task().cancel()
        await asyncio.sleep(1)
    if what == "thread":
        await asyncio.to_thread(print, "from a thread that was asked")
        other = threading.Thread(target=print, args=("from a thread of nobody",))
        other.start()
        await asyncio.to_thread(other.join)
    if what == "child":
        await asyncio.to_thread(subprocess.run, ["echo", "from a child"])
    if what == "write":
        sys.stdout.buffer.write(b"raw\\n")
        sys.stderr.write("an error\\n")
        sys.stdout.reconfigure(line_buffering=True)
        print("half", end="", flush=True)
        print(" and half")
    if what == "wait":
        await asyncio.sleep(0.05)
    return served

def sync(event, context):
    time.sleep(0.05)
    return os.getpid()

class Callable:
    async def __call__(self, event, context):
        return "called"

instance = Callable()
'''


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[tuple[LocalEngine, Recorder, Path]]:
    (tmp_path / "code.py").write_text(CODE)
    factory, recorder = ProcessFactory(), Recorder()
    await factory.prepare("python3.11", interpreters.current())
    numbers = itertools.count(1)
    engine = LocalEngine(
        factory, recorder, SystemClock(), memory_mb=100_000, new_id=lambda: f"i{next(numbers)}", init_timeout_s=30
    )
    yield engine, recorder, tmp_path
    await engine.close(0)
    books = engine._ledger
    assert (books.calls, books.held_mb, books.dying_mb, books.idle_mb) == (0, 0, 0, 0)
    assert engine.snapshot() == ()
    await factory.close()


Made = tuple[LocalEngine, Recorder, Path]


def target(made: Made, handler: str, concurrency: int, timeout_s: float = 30.0) -> Target:
    async def environment(instance: str) -> Mapping[str, str]:
        return {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}

    return Target(
        key=handler,
        function=handler,
        sandbox=SandboxSpec("python3.11", made[2]),
        handler=f"code.{handler}",
        timeout_s=timeout_s,
        environment=environment,
        concurrency=concurrency,
    )


async def wait_until_idle(engine: LocalEngine) -> None:
    async with asyncio.timeout(60):
        while any(instance.state != "idle" for pool in engine.snapshot() for instance in pool.instances):  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def gathered(engine: LocalEngine, wanted: Target, events: list[Any]) -> list[Outcome]:
    async with asyncio.timeout(60):
        return await asyncio.gather(*(engine.invoke(wanted, call(event, f"r{n}")) for n, event in enumerate(events)))


async def test_one_instance_runs_as_many_calls_at_a_time_as_it_may(made: Made) -> None:
    engine, _, _ = made
    wanted = target(made, "together", 50)

    outcomes = await gathered(engine, wanted, [{"number": n, "wait_for": 50} for n in range(50)])

    answers = [result(outcome) for outcome in outcomes]
    assert max(answer["most"] for answer in answers) == 50
    assert len({answer["pid"] for answer in answers}) == 1
    assert [answer["id"] for answer in answers] == [f"r{n}" for n in range(50)]
    assert engine.counters().cold_starts == 1
    assert sum(outcome.cold for outcome in outcomes) == 1


async def test_what_each_call_prints_and_logs_is_its_own(made: Made) -> None:
    engine, recorder, _ = made

    await gathered(engine, target(made, "together", 20), [{"number": n, "wait_for": 20} for n in range(20)])

    for n in range(20):
        arrived, rest = recorder.lines(f"r{n}")
        assert arrived == f"arrived {n}"
        assert rest.startswith("left[INFO]\t")
        assert rest.endswith(f"\tr{n}\tsaid by {n}")
        kinds = [event[0] for event in recorder.events if event[2] == f"r{n}"]
        assert kinds == ["started", "output", "output", "finished"]


async def test_calls_beyond_the_room_of_one_instance_get_another(made: Made) -> None:
    engine, _, _ = made

    outcomes = await gathered(engine, target(made, "does", 8), [{"what": "late", "s": 1.5}] * 16)

    by_instance = [outcome.instance for outcome in outcomes]
    assert sorted(by_instance.count(instance) for instance in set(by_instance)) == [8, 8]


async def test_a_synchronous_handler_runs_one_call_at_a_time_in_each_of_its_instances(made: Made) -> None:
    engine, _, _ = made

    outcomes = await gathered(engine, target(made, "sync", 10), [None] * 6)

    assert {outcome.failure for outcome in outcomes} == {None}
    assert engine.counters().cold_starts > 1
    assert len({result(outcome) for outcome in outcomes}) == len({outcome.instance for outcome in outcomes})


async def test_an_object_whose_call_is_async_is_a_handler_too(made: Made) -> None:
    engine, _, _ = made
    outcomes = await gathered(engine, target(made, "instance", 10), [None] * 3)
    assert [result(outcome) for outcome in outcomes] == ["called"] * 3


async def test_the_error_of_one_call_is_nobody_elses(made: Made) -> None:
    engine, recorder, _ = made
    events = [{"what": "raise" if n % 2 else "wait", "number": n} for n in range(10)]

    outcomes = await gathered(engine, target(made, "does", 10), events)

    for n, outcome in enumerate(outcomes):
        if n % 2:
            assert outcome.failure is not None
            assert b'"ValueError"' in outcome.failure.payload
            assert f'"requestId": "r{n}"'.encode() in outcome.failure.payload
            assert recorder.lines(f"r{n}")[0].startswith(f"[ERROR] ValueError: {n}")
        else:
            assert outcome.failure is None
    assert engine.counters().cold_starts == 1


async def test_a_call_that_cancels_itself_has_failed_like_one_that_raises(made: Made) -> None:
    engine, _, _ = made
    cancelled, other = await gathered(engine, target(made, "does", 2), [{"what": "cancel"}, {"what": "wait"}])
    assert cancelled.failure is not None
    assert b"CancelledError" in cancelled.failure.payload
    assert other.failure is None


async def test_a_call_that_takes_too_long_fails_alone_and_its_place_is_free_when_it_ends(made: Made) -> None:
    engine, _, tmp_path = made
    wanted = target(made, "does", 2, timeout_s=2)
    await engine.invoke(wanted, call({"what": "wait"}))
    late = asyncio.create_task(engine.invoke(wanted, call({"what": "hang"}, "late")))
    await asyncio.sleep(1)  # so that the other one has time left when it ends
    door = tmp_path / "door"
    other = asyncio.create_task(engine.invoke(wanted, call({"what": "meet", "door": str(door)}, "other")))

    outcome = await late
    assert outcome.failure is not None
    assert outcome.failure.kind == "timeout"
    assert outcome.duration_ms == 2000
    door.touch()
    assert (await other).failure is None


async def test_a_call_that_is_stopped_costs_those_beside_it_nothing(made: Made) -> None:
    engine, recorder, tmp_path = made
    wanted = target(made, "does", 2)
    await engine.invoke(wanted, call({"what": "wait"}))
    door = tmp_path / "door"
    unwanted = asyncio.create_task(engine.invoke(wanted, call({"what": "hang"}, "unwanted")))
    other = asyncio.create_task(engine.invoke(wanted, call({"what": "meet", "door": str(door)}, "other")))
    await recorder.wait_for(lambda: len(recorder.of("started")) == 3)
    assert engine.stop("unwanted")
    outcome = await unwanted
    assert outcome.failure is not None
    assert outcome.failure.kind == "stopped"
    door.touch()
    assert (await other).failure is None


async def test_an_instance_ends_when_nothing_but_calls_that_took_too_long_is_left(made: Made) -> None:
    engine, recorder, _ = made
    wanted = target(made, "does", 4, timeout_s=2)
    await engine.invoke(wanted, call({"what": "wait"}))

    outcomes = await gathered(engine, wanted, [{"what": "insist"}, {"what": "hang"}, {"what": "wait"}])

    assert [outcome.failure.kind if outcome.failure else None for outcome in outcomes] == ["timeout", "timeout", None]
    await recorder.wait_for(lambda: recorder.of("terminated") == [("i1", "timeout")])
    assert (await engine.invoke(wanted, call({"what": "wait"}))).instance == "i2"


async def test_calls_that_took_too_long_are_cancelled_and_the_instance_goes_on(made: Made) -> None:
    engine, recorder, _ = made
    wanted = target(made, "does", 4, timeout_s=2)
    await engine.invoke(wanted, call({"what": "wait"}))

    outcomes = await gathered(engine, wanted, [{"what": "hang"}] * 4)

    assert {outcome.failure.kind for outcome in outcomes if outcome.failure} == {"timeout"}
    await wait_until_idle(engine)
    assert {outcome.instance for outcome in await gathered(engine, wanted, [{"what": "wait"}] * 4)} == {"i1"}
    assert recorder.of("terminated") == []


async def test_a_loop_that_is_blocked_costs_its_calls_their_time_and_no_others(made: Made) -> None:
    engine, _, _ = made
    wanted = target(made, "does", 4, timeout_s=2)
    await engine.invoke(wanted, call({"what": "wait"}))

    outcomes = await gathered(engine, wanted, [{"what": "block"}, {"what": "wait"}, {"what": "wait"}])

    assert {outcome.failure.kind for outcome in outcomes if outcome.failure} == {"timeout"}
    assert (await engine.invoke(wanted, call({"what": "wait"}))).failure is None


@pytest.mark.parametrize(("what", "status"), [("die", 7), ("exit", 3)])
async def test_all_calls_of_an_instance_that_dies_fail_with_how_it_died(made: Made, what: str, status: int) -> None:
    engine, _, _ = made
    wanted = target(made, "does", 10)
    await engine.invoke(wanted, call({"what": "wait"}))

    outcomes = await gathered(engine, wanted, [{"what": "hang"}] * 5 + [{"what": what}])

    for outcome in outcomes:
        assert outcome.failure is not None
        assert (outcome.failure.kind, outcome.failure.exit_status) == ("exited", status)
    assert (await engine.invoke(wanted, call({"what": "wait"}))).failure is None


async def test_what_threads_and_children_print_is_a_calls_where_that_can_be_known(made: Made) -> None:
    engine, recorder, _ = made
    wanted = target(made, "does", 10)

    await engine.invoke(wanted, call({"what": "thread"}, "thread"))
    assert recorder.lines("thread") == ["from a thread that was asked"]
    assert recorder.lines(None) == ["from a thread of nobody"]

    await engine.invoke(wanted, call({"what": "child"}, "child"))
    assert recorder.lines("child") == ["from a child"]  # no other call ran


async def test_the_streams_are_those_that_programs_expect(made: Made) -> None:
    engine, recorder, _ = made
    await engine.invoke(target(made, "does", 10), call({"what": "write"}, "write"))
    assert recorder.lines("write") == ["raw", "an error", "half and half"]


async def test_a_retired_instance_takes_no_call_and_ends_after_its_last(made: Made) -> None:
    engine, recorder, _ = made
    wanted = target(made, "does", 10)
    await engine.invoke(wanted, call({"what": "wait"}))
    running = [asyncio.create_task(engine.invoke(wanted, call({"what": "late", "s": 0.2}))) for _ in range(3)]
    await recorder.wait_for(lambda: len(recorder.of("started")) == 4)

    engine.retire(wanted.key)
    after = await engine.invoke(wanted, call({"what": "wait"}))

    assert after.instance == "i2"
    assert {(await task).instance for task in running} == {"i1"}
    await recorder.wait_for(lambda: ("i1", "retired") in recorder.of("terminated"))
