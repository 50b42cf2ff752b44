"""Calls that wait: for memory, for their turn, in fair turns; and how fast functions may grow. In virtual time."""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.clock import ManualClock, SystemClock
from mayfly.engine.api import Call, Outcome, Target, ThrottledError
from mayfly.engine.engine import LocalEngine
from mayfly.engine.limits import Limits, default_starts
from mayfly.policy.rates import Rate

from .conftest import MakeEngine, Recorder, call, target
from .puppets import Puppets, calm

PATIENT = Limits(queue_s=1e6, start_patience_s=1e6, scaling=None, queue_calls=10_000)


@pytest.fixture
async def puppets() -> AsyncIterator[Puppets]:
    made = Puppets()
    yield made
    await made.close()


class Scene:
    """An engine on puppets, and functions that call it. One step is a tenth of a second."""

    def __init__(self, engine: LocalEngine, puppets: Puppets, clock: ManualClock) -> None:
        self.engine = engine
        self.puppets = puppets
        self.clock = clock
        self.ended: Counter[str] = Counter()
        self.waited: dict[str, list[int]] = {}  # steps from a call to its beginning
        self.steps = 0
        self._began: deque[tuple[int, str]] = deque()
        self._of: dict[str, tuple[str, int, int]] = {}  # function, duration, made in step
        self._numbers = itertools.count()
        puppets.on_call = self._begins

    def call(self, made: Target, lasts: int = 5) -> "asyncio.Task[Outcome]":
        request = f"{made.function}-{next(self._numbers)}"
        self._of[request] = made.function, lasts, self.steps
        return asyncio.create_task(self.engine.invoke(made, Call(request, b"null", "arn")))

    def _begins(self, request: str) -> None:
        function, _, made = self._of[request]
        self.waited.setdefault(function, []).append(self.steps - made)
        self._began.append((self.steps, request))

    async def step(self) -> None:
        await calm()
        self.steps += 1
        self.clock.advance(0.1)
        for _ in range(len(self._began)):
            began, request = self._began.popleft()
            function, lasts, _ = self._of[request]
            if self.steps - began >= lasts:
                self.ended[function] += 1
                self.puppets.answer(request)
            else:
                self._began.append((began, request))
        await calm()

    async def end(self, calls: "list[asyncio.Task[Outcome]]") -> None:
        """Go on until all of these have ended."""
        for _ in range(1000):
            if all(one.done() for one in calls):
                return
            await self.step()
        raise AssertionError("some calls never end")


@pytest.fixture
async def scene(make_engine: MakeEngine, puppets: Puppets, clock: ManualClock) -> Scene:
    return Scene(make_engine(factory=puppets, memory_mb=1280, account_concurrency=5000, limits=PATIENT), puppets, clock)


async def test_one_that_floods_does_not_keep_another_waiting(scene: Scene) -> None:
    flood, modest = target("flood"), target("modest")
    calls = [scene.call(flood) for _ in range(150)]
    for _ in range(20):
        await scene.step()
    for _ in range(5):
        calls.append(scene.call(modest))
        for _ in range(12):
            await scene.step()
    await scene.end(calls)

    assert max(scene.waited["modest"]) <= 6  # no longer than one call of the other
    assert scene.engine.counters_of("flood").yields >= 1
    assert scene.engine.counters().throttles == 0


async def test_two_that_flood_share_the_machine_although_one_came_first(scene: Scene) -> None:
    first, second = target("first"), target("second")
    calls = [scene.call(first) for _ in range(800)]
    for _ in range(20):
        await scene.step()
    calls += [scene.call(second) for _ in range(800)]
    for _ in range(100):
        await scene.step()
    before = Counter(scene.ended)
    for _ in range(200):
        await scene.step()
    ran = scene.ended - before
    for one in calls:
        one.cancel()

    assert 0.8 <= ran["first"] / ran["second"] <= 1 / 0.8
    # Taking turns costs a start each time; it must not come after every call.
    assert scene.engine.counters().yields <= ran.total() / 5


async def test_a_large_instance_gets_its_turn_among_small_ones_that_never_end(scene: Scene) -> None:
    large = target("large", memory_mb=1100)
    small = [target(name) for name in ("a", "b")]
    calls = [scene.call(made) for made in small for _ in range(150)]
    for _ in range(10):
        await scene.step()
    calls.append(scene.call(large))
    for _ in range(60):
        await scene.step()
    for one in calls:
        one.cancel()

    assert scene.ended["large"] == 1
    assert scene.ended["a"] >= 40


async def test_large_instances_that_never_get_their_memory_do_not_keep_the_others_from_theirs(
    make_engine: MakeEngine, puppets: Puppets, clock: ManualClock
) -> None:
    scene = Scene(make_engine(factory=puppets, memory_mb=1280, limits=Limits(queue_s=2.0)), puppets, clock)
    calls = [scene.call(target("long"), lasts=300) for _ in range(4)]
    await scene.step()
    waited: list[int] = []
    for _ in range(10):
        calls += [scene.call(target("large", memory_mb=1100)) for _ in range(3)]
        calls += [scene.call(target(f"small {number}"), lasts=2) for number in range(3)]
        for _ in range(10):
            await scene.step()
    for name in ("small 0", "small 1", "small 2"):
        waited += scene.waited[name]
    for one in calls:
        one.cancel()

    assert scene.ended["large"] == 0
    assert len(waited) >= 25
    assert max(waited) <= 21  # once the patience of a large one, two seconds
    assert sum(waited) / len(waited) <= 8


async def test_a_function_that_is_slow_to_start_leaves_room_for_the_starts_of_others(
    scene: Scene, puppets: Puppets
) -> None:
    puppets.holds_init = True
    slow = [scene.call(target("slow", memory_mb=1)) for _ in range(60)]
    await calm()
    begun = len(puppets.made)
    assert begun == default_starts() * 3 // 4

    other = scene.call(target("other", memory_mb=1))
    await calm()
    assert len(puppets.made) == begun + 1
    puppets.holds_init = False
    puppets.ready(puppets.initializing[-1])
    await calm()
    await scene.step()
    for one in (*slow, other):
        one.cancel()
    assert "other" in scene.waited


async def test_calls_that_wait_for_their_turn_take_instances_that_fall_idle(scene: Scene, puppets: Puppets) -> None:
    calls = [scene.call(target("f", memory_mb=1), lasts=1) for _ in range(300)]
    await scene.end(calls)
    assert len(puppets.made) < 300
    assert scene.engine.counters().waits > 0


async def test_a_caller_that_goes_away_gives_up_its_place(scene: Scene, puppets: Puppets) -> None:
    running = [scene.call(target("f", memory_mb=640)) for _ in range(2)]
    waiting = scene.call(target("g", memory_mb=640))
    await calm()
    assert [pool.waiting for pool in scene.engine.snapshot() if pool.key == "g"] == [1]

    waiting.cancel()
    await calm()
    assert [pool for pool in scene.engine.snapshot() if pool.key == "g"] == []
    await scene.end(running)
    assert "g" not in scene.waited


async def test_there_is_always_a_place_for_another_function(
    make_engine: MakeEngine, puppets: Puppets, clock: ManualClock
) -> None:
    limits = Limits(queue_s=1e6, queue_calls=8)
    scene = Scene(make_engine(factory=puppets, memory_mb=128, limits=limits), puppets, clock)
    flood = [scene.call(target("flood")) for _ in range(20)]
    await calm()
    refused = [one for one in flood if one.done()]
    assert len(refused) == 20 - 1 - 4  # one runs, half of the places are taken
    assert all(isinstance(error := one.exception(), ThrottledError) and error.scope == "memory" for one in refused)

    other = [scene.call(target("other")) for _ in range(3)]
    await calm()
    assert [one.done() for one in other] == [False, False, True]
    assert scene.engine.counters_of("flood").throttled == {"memory": 15}
    for one in (*flood, *other):
        one.cancel()


async def test_a_call_that_waited_for_long_enough_is_refused(make_engine: MakeEngine, puppets: Puppets) -> None:
    engine = make_engine(factory=puppets, memory_mb=128, clock=SystemClock(), limits=Limits(queue_s=0.02))
    running = asyncio.create_task(engine.invoke(target("f"), call(request_id="runs")))
    await calm()

    with pytest.raises(ThrottledError) as caught:
        await engine.invoke(target("g"), call())
    assert caught.value.scope == "memory"
    counters = engine.counters()
    assert (counters.waits, counters.throttled) == (1, {"memory": 1})
    assert counters.waited_ms >= 20
    puppets.answer("runs")
    await running


async def test_what_can_never_fit_is_refused_at_once(make_engine: MakeEngine, puppets: Puppets) -> None:
    engine = make_engine(factory=puppets, memory_mb=512, limits=PATIENT)
    with pytest.raises(ThrottledError, match="no memory"):
        await engine.invoke(target("f", memory_mb=513), call())


async def test_a_function_grows_no_faster_than_it_may_and_others_do_not_pay_for_it(
    make_engine: MakeEngine, puppets: Puppets, clock: ManualClock
) -> None:
    engine = make_engine(factory=puppets, limits=Limits(scaling=Rate(2, 0.5)))
    scene = Scene(engine, puppets, clock)
    made = target("f")
    running = [scene.call(made) for _ in range(2)]
    await calm()

    with pytest.raises(ThrottledError) as caught:
        await engine.invoke(made, call())
    assert (caught.value.scope, caught.value.limit, caught.value.retry_after_s) == ("scaling", 2, 2.0)
    running.append(scene.call(target("g")))
    clock.advance(2.0)
    running.append(scene.call(made))
    await calm()
    assert len(puppets.calls) == 4
    await scene.end(running)
    assert engine.counters().throttled == {"scaling": 1}


async def test_calls_a_second_are_limited_by_the_concurrency_that_is_reserved_or_left(
    make_engine: MakeEngine, puppets: Puppets, clock: ManualClock
) -> None:
    engine = make_engine(factory=puppets, account_concurrency=4, limits=Limits(calls_per_concurrency=2))
    engine.reserve("f", 1)
    puppets.on_call = puppets.answer
    own = target("f", reserved=1)
    for _ in range(2):
        await engine.invoke(own, call())
    with pytest.raises(ThrottledError) as caught:
        await engine.invoke(own, call())
    assert (caught.value.scope, caught.value.limit, caught.value.retry_after_s) == ("function-rate", 2, 0.5)
    await engine.invoke(own, Call("an event", b"null", "arn", rated=False))

    for name in "ababab":
        await engine.invoke(target(name), call())
    with pytest.raises(ThrottledError) as caught:
        await engine.invoke(target("c"), call())
    assert (caught.value.scope, caught.value.limit) == ("account-rate", 6)
    clock.advance(0.5)
    await engine.invoke(own, call())
    await engine.invoke(target("c"), call())


async def test_memory_is_taken_from_idle_instances_of_whoever_has_more_than_its_share(
    scene: Scene, recorder: Recorder, clock: ManualClock
) -> None:
    calls = [scene.call(target("old"), lasts=1)]
    await scene.step()
    clock.advance(100)
    calls += [scene.call(target("many"), lasts=1) for _ in range(9)]
    await scene.step()
    calls.append(scene.call(target("new"), lasts=1))
    await scene.step()

    assert scene.engine.counters_of("many").evictions == 1
    assert scene.engine.counters_of("old").evictions == 0
    assert all(one.done() for one in calls)


async def test_calls_beyond_the_provisioned_instances_are_counted(scene: Scene) -> None:
    made = target("f")
    scene.engine.provision(made, 1)
    await calm()
    calls = [scene.call(made, lasts=1) for _ in range(3)]
    await scene.end(calls)
    counters = scene.engine.counters_of("f")
    assert (counters.provisioned_calls, counters.spillovers) == (1, 2)


functions = st.lists(
    st.tuples(st.sampled_from([64, 128, 320, 640]), st.integers(1, 6), st.integers(1, 12)), min_size=1, max_size=5
)


@settings(max_examples=25, deadline=None)
@given(functions, st.integers(1, 6))
def test_every_call_that_may_wait_runs_in_the_end(kinds: list[tuple[int, int, int]], starts: int) -> None:
    """Whatever mixture of sizes, durations and numbers of calls waits for one machine: nothing is stuck."""

    async def main() -> None:
        puppets, clock, numbers = Puppets(), ManualClock(), itertools.count()
        limits = Limits(queue_s=1e6, start_patience_s=1e6, scaling=None, starts_at_once=starts)
        engine = LocalEngine(
            puppets, Recorder(), clock, memory_mb=640, new_id=lambda: f"i{next(numbers)}", limits=limits
        )
        scene = Scene(engine, puppets, clock)
        calls = []
        for number, (memory_mb, lasts, count) in enumerate(kinds):
            made = target(f"f{number}", memory_mb=memory_mb)
            calls += [scene.call(made, lasts) for _ in range(count)]
        await scene.end(calls)
        assert all(one.exception() is None for one in calls)
        held = engine._ledger
        assert (held.calls, held.dying_mb) == (0, 0)
        await engine.close(0)
        assert engine.snapshot() == ()
        await puppets.close()

    asyncio.run(main())
