"""Everything at once: whatever calls do, each is settled exactly once, and nothing is left over.

The fixture that closes an engine asserts that its books are at zero and that it has no instances.
"""

import asyncio
import random

import uvloop

from mayfly.clock import SystemClock
from mayfly.engine.api import Outcome, ThrottledError
from mayfly.engine.engine import LocalEngine

from .conftest import MakeEngine, Recorder, call, result, target
from .forked import ForkedFactory
from .test_provisioned import until

KINDS = {
    "answer": None,
    "raise": "raised",
    "exit": "raised",
    "leave": "exited",
    "sleep": "timeout",
    "garbage": "protocol",
}


async def one(engine: LocalEngine, recorder: Recorder, number: int, what: str, key: str) -> tuple[str, Outcome]:
    """One call; when throttled, again whenever another one ended."""
    made = target("anything.handler", key=key, function=key[0], timeout_s=3, memory_mb=128)
    while True:
        ended = len(recorder.of("finished"))
        try:
            return what, await engine.invoke(made, call({"what": what, "number": number}, f"r{number}"))
        except ThrottledError:
            await recorder.wait_for(lambda: len(recorder.of("finished")) > ended)  # noqa: B023 - awaited here


async def storm(engine: LocalEngine, recorder: Recorder, seed: int) -> None:
    """120 calls of three functions in two versions each, in an order that `seed` decides."""
    draw = random.Random(seed)
    whats = draw.choices(list(KINDS), weights=[20, 4, 1, 1, 1, 1], k=120)
    calls = []
    for number, what in enumerate(whats):
        calls.append(
            asyncio.create_task(one(engine, recorder, number, what, draw.choice(["a1", "a2", "b1", "b2", "c1", "c2"])))
        )
        for _ in range(draw.randrange(4)):
            await asyncio.sleep(0)
        if draw.random() < 0.05:
            engine.retire(draw.choice(["a1", "b1"]))
        if draw.random() < 0.05:
            draw.choice(calls).cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    for number, finished in enumerate(outcomes):
        if isinstance(finished, asyncio.CancelledError):
            continue
        assert not isinstance(finished, BaseException), finished
        what, outcome = finished
        if what == "answer":
            assert result(outcome) == number
        else:
            assert outcome.failure is not None
            assert outcome.failure.kind == KINDS[what]
        assert recorder.lines(f"r{number}") == [f"{what} {number}"]
    await until(lambda: engine._ledger.calls == 0)
    assert engine.counters().throttles > 0
    requests = [request for _, request in recorder.of("finished")]
    # One that was cancelled while it waited for an instance was a call, and never began.
    given_up = {f"r{number}" for number, task in enumerate(calls) if task.cancelled()} - set(requests)
    assert len(requests) <= engine.counters().calls <= len(requests) + len(given_up)
    assert len(requests) == len(set(requests))
    assert sorted(requests) == sorted(request for _, request in recorder.of("started"))


async def test_a_storm_of_calls_leaves_nothing_behind(make_engine: MakeEngine, recorder: Recorder) -> None:
    engine = make_engine(clock=SystemClock(), memory_mb=12 * 128, account_concurrency=12)
    await storm(engine, recorder, seed=1)
    assert engine.counters().evictions > 0


def test_the_same_storm_on_uvloop() -> None:
    async def scenario() -> None:
        factory, recorder = ForkedFactory(), Recorder()
        numbers = iter(range(10_000))
        engine = LocalEngine(
            factory,
            recorder,
            SystemClock(),
            memory_mb=12 * 128,
            new_id=lambda: f"i{next(numbers)}",
            account_concurrency=12,
        )
        await storm(engine, recorder, seed=2)
        await engine.close(5)
        assert engine.snapshot() == ()
        await factory.close()

    uvloop.run(scenario())


async def test_closing_in_the_middle_of_a_storm_settles_every_call(
    make_engine: MakeEngine, recorder: Recorder, factory: ForkedFactory
) -> None:
    engine = make_engine(clock=SystemClock())
    calls = [
        asyncio.create_task(one(engine, recorder, number, "sleep" if number % 2 else "answer", "a1"))
        for number in range(20)
    ]
    await recorder.wait_for(lambda: len(recorder.of("started")) >= 3)

    await engine.close(0)

    done, pending = await asyncio.wait(calls, timeout=30)
    assert not pending
    assert len(done) == 20
    for task in done:
        task.exception()
    for sandbox in factory.sandboxes:
        assert (await sandbox.exited()).reason in {"killed", "exited"}
