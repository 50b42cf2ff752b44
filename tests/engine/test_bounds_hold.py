"""The most instances of a target, whatever happens in whatever order: never more, and no call waits in vain."""

import asyncio
from dataclasses import replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mayfly.engine.api import Outcome, ThrottledError

from .scripted import settle
from .test_sharing import Stage

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["call", "call", "call", "ready", "ready", "answer", "answer", "die", "fail", "keep", "bound"]),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    max_size=40,
)


class Bounded(Stage):
    """Keeps at most `most` instances, of which `kept` are made ahead."""

    def __init__(self, concurrency: int, most: int) -> None:
        super().__init__(concurrency)
        self.target = replace(self.target, most_instances=most)
        self.most = most

    def bound(self, most: int) -> None:
        self.most = most
        self.target = replace(self.target, most_instances=most)
        self.engine.bound(self.target.key, most)

    async def step(self, what: str, first: int, second: int, capacity: int) -> None:
        living = self.living()
        fresh = [puppet for puppet in living if puppet.id not in self.initialized]
        busy = [puppet for puppet in living if puppet.calls]
        if what == "call":
            await self.call()
        elif what == "ready" and fresh:
            await self.ready(fresh[first % len(fresh)], capacity)
        elif what == "fail" and fresh:
            puppet = fresh[first % len(fresh)]
            self.initialized.add(puppet.id)
            puppet.fail_init()
        elif what == "answer" and busy:
            puppet = busy[first % len(busy)]
            puppet.answer(list(puppet.calls)[second % len(puppet.calls)])
        elif what == "die" and living:
            living[first % len(living)].die()
        elif what == "keep":
            self.engine.provision(self.target, min(first, self.most))
        elif what == "bound":
            self.bound(max(1, first))
            self.engine.provision(self.target, min(second, self.most))
        await settle(self.factory)

    async def finish(self, capacity: int) -> None:
        """Everything that starts becomes ready, and everything that runs is answered, until nothing is left to do."""
        for _ in range(200):
            fresh = [puppet for puppet in self.living() if puppet.id not in self.initialized]
            busy = [puppet for puppet in self.living() if puppet.calls]
            if not fresh and not busy:
                return
            for puppet in fresh:
                await self.ready(puppet, capacity)
            for puppet in busy:
                for number in list(puppet.calls):
                    puppet.answer(number)
            await settle(self.factory)
        raise AssertionError("it does not come to an end")


async def play(steps: list[tuple[str, int, int]], concurrency: int, most: int) -> None:
    stage = Bounded(concurrency, most)
    try:
        deaths = 0
        for what, first, second in steps:
            deaths += what in ("die", "fail")
            if what in ("die", "fail") and deaths > 3:
                continue  # from the fourth on, calls wait for time to pass (`policy.crashes`), which it does not here
            before = len(stage.living())
            await stage.step(what, first, second, concurrency)
            assert len(stage.living()) <= max(before, stage.most)
        await stage.finish(concurrency)
        assert len(stage.living()) <= stage.most
        assert all(call.done() for call in stage.calls), "a call waits for nothing"
    finally:
        outcomes = await stage.close()
    assert all(isinstance(outcome, Outcome | ThrottledError) for outcome in outcomes)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.sampled_from([1, 1, 3]), st.integers(1, 3))
@example([("bound", 2, 1), ("bound", 1, 1), ("call", 0, 0), ("ready", 0, 0), ("die", 0, 0), ("call", 0, 0)], 1, 1)
def test_whatever_happens_there_are_no_more_and_every_call_ends(
    steps: list[tuple[str, int, int]], concurrency: int, most: int
) -> None:
    asyncio.run(play(steps, concurrency, most))


async def test_calls_that_join_others_on_a_kept_instance_do_not_spill_over() -> None:
    stage = Bounded(concurrency=3, most=2)
    stage.engine.provision(stage.target, 1)
    await settle(stage.factory)
    await stage.ready(stage.factory.puppets[0], 3)
    for _ in range(4):
        await stage.call()
    counters = stage.engine.counters()
    assert (counters.provisioned_calls, counters.spillovers) == (3, 1)
    await stage.close()
