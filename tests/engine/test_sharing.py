"""Several calls on one instance, whatever happens in whatever order: each is run once at most, and settled once."""

import asyncio
import dataclasses
import itertools
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.clock import ManualClock
from mayfly.engine.api import Outcome
from mayfly.engine.engine import LocalEngine

from .conftest import Recorder, call, target
from .scripted import Scripted, ScriptedFactory, settle

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["call", "call", "call", "ready", "ready", "answer", "answer", "die", "fail", "retire", "print"]
        ),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    max_size=40,
)


class Stage:
    """An engine, its puppets, and the calls that were made."""

    def __init__(self, concurrency: int, memory_mb: int = 100_000) -> None:
        self.factory, self.recorder = ScriptedFactory(), Recorder()
        numbers = itertools.count(1)
        self.engine = LocalEngine(
            self.factory,
            self.recorder,
            ManualClock(),
            memory_mb=memory_mb,
            new_id=lambda: f"i{next(numbers)}",
        )
        self.target = dataclasses.replace(target("f"), concurrency=concurrency)
        self.calls: list[asyncio.Task[Outcome]] = []
        self.initialized: set[str] = set()

    async def call(self) -> None:
        self.calls.append(asyncio.create_task(self.engine.invoke(self.target, call(None, f"r{len(self.calls)}"))))
        await settle(self.factory)

    async def ready(self, puppet: Scripted, concurrency: int) -> None:
        self.initialized.add(puppet.id)
        puppet.ready(concurrency)
        await settle(self.factory)

    def living(self) -> list[Scripted]:
        return [puppet for puppet in self.factory.puppets if puppet.alive]

    async def close(self) -> list[Any]:
        await self.engine.close(0)
        async with asyncio.timeout(60):
            outcomes = await asyncio.gather(*self.calls, return_exceptions=True)
        books = self.engine._ledger
        assert (books.calls, books.held_mb, books.dying_mb, books.idle_mb) == (0, 0, 0, 0)
        assert self.engine.snapshot() == ()
        return outcomes


async def play(steps: list[tuple[str, int, int]], concurrency: int, capacity: int) -> None:
    stage = Stage(concurrency)
    for what, first, second in steps:
        living = stage.living()
        fresh = [puppet for puppet in living if puppet.id not in stage.initialized]
        serving = [puppet for puppet in living if puppet.id in stage.initialized]
        busy = [puppet for puppet in serving if puppet.calls]
        if what == "call":
            roomy = any(len(puppet.calls) < capacity for puppet in serving)
            started = len(stage.factory.puppets)
            await stage.call()
            assert not roomy or len(stage.factory.puppets) == started
        elif what == "ready" and fresh:
            await stage.ready(fresh[first % len(fresh)], capacity)
        elif what == "fail" and fresh:
            puppet = fresh[first % len(fresh)]
            stage.initialized.add(puppet.id)
            puppet.fail_init()
        elif what == "answer" and busy:
            puppet = busy[first % len(busy)]
            puppet.answer(list(puppet.calls)[second % len(puppet.calls)])
        elif what == "die" and living:
            living[first % len(living)].die()
        elif what == "print" and serving:
            serving[first % len(serving)].print(second, b"a line\nhalf a line")
        elif what == "retire" and second == 0:
            stage.engine.retire(stage.target.key)
            await settle(stage.factory)
            break  # what is asked of its instances from now on, others are asked
        await settle(stage.factory)
        assert all(len(puppet.calls) <= capacity for puppet in stage.factory.puppets)
    outcomes = await stage.close()
    seen = Counter(request for puppet in stage.factory.puppets for request in puppet.seen)
    assert all(count == 1 for count in seen.values())
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome, Outcome) and outcome.failure is None:
            assert outcome.payload == f"r{number}".encode()
    finished = Counter(request for _, request in stage.recorder.of("finished"))
    assert all(count == 1 for count in finished.values())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.integers(2, 4), st.data())
def test_whatever_happens_no_call_is_run_twice_or_lost(
    steps: list[tuple[str, int, int]], concurrency: int, data: st.DataObject
) -> None:
    asyncio.run(play(steps, concurrency, data.draw(st.integers(1, concurrency))))


async def test_calls_wait_for_the_room_of_an_instance_that_starts() -> None:
    stage = Stage(concurrency=3)
    for _ in range(5):
        await stage.call()
    assert len(stage.factory.puppets) == 2

    await stage.ready(stage.factory.puppets[0], 3)

    assert stage.factory.puppets[0].seen == ["r0", "r1", "r2"]
    assert stage.engine.snapshot()[0].waiting == 1
    await stage.ready(stage.factory.puppets[1], 3)
    assert stage.factory.puppets[1].seen == ["r3", "r4"]
    await stage.close()


async def test_calls_that_find_less_room_than_they_waited_for_get_instances_of_their_own() -> None:
    stage = Stage(concurrency=4)
    for _ in range(4):
        await stage.call()
    assert len(stage.factory.puppets) == 1

    await stage.ready(stage.factory.puppets[0], 1)

    assert stage.factory.puppets[0].seen == ["r0"]
    assert len(stage.factory.puppets) == 4
    await stage.close()


async def test_calls_that_wait_for_an_instance_which_fails_get_another() -> None:
    stage = Stage(concurrency=4)
    for _ in range(3):
        await stage.call()
    stage.factory.puppets[0].fail_init()
    await settle(stage.factory)
    assert len(stage.factory.puppets) == 2

    await stage.ready(stage.factory.puppets[1], 4)

    assert stage.factory.puppets[1].seen == ["r0", "r1", "r2"]
    await stage.close()


async def test_calls_that_wait_for_an_instance_whose_init_fails_twice_get_another() -> None:
    stage = Stage(concurrency=4)
    for _ in range(3):
        await stage.call()
    for number in range(2):
        stage.factory.puppets[number].fail_init()
        await settle(stage.factory)
    assert len(stage.factory.puppets) == 3

    await stage.ready(stage.factory.puppets[2], 4)

    assert stage.factory.puppets[2].seen == ["r1", "r2"]
    outcome = await stage.calls[0]
    assert outcome.failure is not None
    assert outcome.failure.kind == "init-raised"
    await stage.close()


async def test_the_fullest_instance_with_room_gets_the_next_call() -> None:
    stage = Stage(concurrency=2)
    for _ in range(4):
        await stage.call()
    first, second = stage.factory.puppets
    await stage.ready(first, 2)
    await stage.ready(second, 2)
    for puppet in (first, second, second):
        puppet.answer(next(iter(puppet.calls)))
        await settle(stage.factory)

    await stage.call()

    assert first.seen[-1] == "r4"
    await stage.close()


async def test_a_caller_who_goes_away_while_waiting_for_room_gets_none() -> None:
    stage = Stage(concurrency=2)
    await stage.call()
    await stage.call()
    stage.calls[1].cancel()
    await settle(stage.factory)

    await stage.ready(stage.factory.puppets[0], 2)

    assert stage.factory.puppets[0].seen == ["r0"]
    await stage.close()


async def test_an_answer_to_a_call_that_was_not_made_is_the_end_of_all() -> None:
    stage = Stage(concurrency=2)
    await stage.call()
    (puppet,) = stage.factory.puppets
    await stage.ready(puppet, 2)
    puppet.calls[77] = "nobody's"
    puppet.answer(77)
    outcome = await stage.calls[0]
    assert outcome.failure is not None
    assert outcome.failure.kind == "protocol"
    await stage.close()


async def test_an_instance_that_is_never_idle_takes_no_call_when_it_is_old() -> None:
    stage = Stage(concurrency=2)
    await stage.call()
    (puppet,) = stage.factory.puppets
    await stage.ready(puppet, 2)
    await stage.call()
    clock = stage.engine._clock
    assert isinstance(clock, ManualClock)
    clock.advance(7 * 3600)
    puppet.answer(next(iter(puppet.calls)))
    await settle(stage.factory)

    await stage.call()

    assert len(stage.factory.puppets) == 2
    await stage.close()
