"""Instances that are lent: limits stay exact, nothing is refused while a lease idles, deaths are told."""

import asyncio
import os
import socket
from typing import Any

import pytest

from mayfly.engine.api import FailureKind, Target, ThrottledError
from mayfly.engine.engine import LocalEngine
from mayfly.engine.leases import Scope
from mayfly.engine.owner import Lent
from mayfly.policy.leasing import PRESSED_TERM_S, TERM_S
from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit

from .conftest import MakeEngine, Meeting, Recorder, call, result, target
from .test_provisioned import available


class Front:
    """A borrower that speaks to what it is lent over copies of the descriptors, as another process would."""

    def __init__(self, engine: LocalEngine) -> None:
        self._leases = engine.leases
        self.idle: dict[str, socket.socket] = {}
        self.busy: set[str] = set()
        self.recalls: list[Scope] = []
        self.recalled_busy = False
        self.deaths: asyncio.Queue[tuple[str, Exit]] = asyncio.Queue()

    async def borrow(self, key: str) -> Lent | None:
        lent = await self._leases.lend(key, self)
        if lent is not None:
            self.idle[lent.instance] = socket.socket(fileno=os.dup(lent.control))
        return lent

    async def run(self, instance: str) -> Any:
        """One call on an instance that it has."""
        loop = asyncio.get_running_loop()
        control = self.idle[instance]
        await loop.sock_sendall(control, frames.encode_call(1, frames.call_head("lent", 0, "arn"), b'"event"'))
        decoder = frames.Decoder()
        while True:
            for frame in decoder.feed(await loop.sock_recv(control, 65536)):
                return frame

    def give_back(self, instance: str, leaving: str = "") -> None:
        self.idle.pop(instance).close()
        self._leases.give_back(instance, 1, leaving)

    async def recall(self, scope: Scope, *, busy: bool) -> None:
        self.recalls.append(scope)
        self.recalled_busy = self.recalled_busy or busy
        for instance in [one for one in self.idle if one not in self.busy]:
            self.give_back(instance)

    def died(self, lease: str, how: Exit, verdict: FailureKind | None) -> None:
        self.deaths.put_nowait((lease, how))
        self.idle.pop(lease).close()
        self._leases.buried(lease, 0)


async def warmed(engine: LocalEngine, made: Target) -> str:
    """An idle instance of `made`, by its id."""
    return (await engine.invoke(made, call())).instance


async def test_a_lent_instance_runs_calls_of_its_borrower_and_then_of_the_engine(engine: LocalEngine) -> None:
    made, front = target("functions.count"), Front(engine)
    instance = await warmed(engine, made)

    lent = await front.borrow(made.key)
    assert lent is not None
    assert lent.instance == instance
    assert (await front.run(instance)).kind == frames.RESULT
    front.give_back(instance)
    again = await engine.invoke(made, call())

    assert (again.instance, again.cold, result(again)["calls"]) == (instance, False, 3)


async def test_what_is_lent_is_neither_lent_again_nor_shown_as_idle(engine: LocalEngine) -> None:
    made, front = target("functions.echo"), Front(engine)
    instance = await warmed(engine, made)

    await front.borrow(made.key)

    assert await front.borrow(made.key) is None
    assert [view.state for view in engine.snapshot()[0].instances] == ["lent"]
    front.give_back(instance)


async def test_a_call_calls_an_idle_lease_back_instead_of_starting_an_instance(engine: LocalEngine) -> None:
    made, front = target("functions.echo"), Front(engine)
    instance = await warmed(engine, made)
    await front.borrow(made.key)

    outcome = await engine.invoke(made, call())

    assert (outcome.instance, outcome.cold) == (instance, False)
    assert front.recalls == [Scope(key=made.key)]


async def test_no_call_is_throttled_while_a_lease_idles(engine: LocalEngine) -> None:
    made, front = target("functions.echo", reserved=1), Front(engine)
    instance = await warmed(engine, made)
    await front.borrow(made.key)

    assert (await engine.invoke(made, call())).instance == instance


async def test_a_lease_in_use_counts_against_the_limit(engine: LocalEngine) -> None:
    made, front = target("functions.echo", reserved=1), Front(engine)
    instance = await warmed(engine, made)
    await front.borrow(made.key)
    front.busy.add(instance)

    with pytest.raises(ThrottledError):
        await engine.invoke(made, call())

    front.give_back(instance)
    assert (await engine.invoke(made, call())).instance == instance


async def test_nothing_is_lent_beyond_a_limit(make_engine: MakeEngine, meeting: Meeting) -> None:
    engine = make_engine(account_concurrency=1)
    made, other, front = target("functions.echo"), target("functions.meet"), Front(engine)
    await warmed(engine, made)
    running = asyncio.create_task(engine.invoke(other, meeting.call()))
    await meeting.all_here()

    assert await front.borrow(made.key) is None

    meeting.end()
    await running


async def test_leases_of_other_functions_come_back_for_want_of_concurrency(make_engine: MakeEngine) -> None:
    engine = make_engine(account_concurrency=1)
    made, front = target("functions.echo"), Front(engine)
    await warmed(engine, made)
    await front.borrow(made.key)

    outcome = await engine.invoke(target("functions.count"), call())

    assert result(outcome)["calls"] == 1
    assert front.recalls == [Scope()]


async def test_the_first_call_that_waits_for_memory_ends_long_terms(make_engine: MakeEngine) -> None:
    engine = make_engine(memory_mb=128)
    made, front = target("functions.echo"), Front(engine)
    instance = await warmed(engine, made)
    assert engine.leases.term_s == TERM_S
    await front.borrow(made.key)
    front.busy.add(instance)

    waiting = asyncio.create_task(engine.invoke(target("functions.count"), call()))
    async with asyncio.timeout(60):
        while engine.leases.term_s == TERM_S:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)

    assert front.recalled_busy
    assert engine.leases.term_s == PRESSED_TERM_S
    front.give_back(instance)
    assert result(await waiting)["calls"] == 1
    assert engine.leases.term_s == TERM_S


async def test_another_borrower_gets_what_idles_at_the_first(engine: LocalEngine) -> None:
    made, first, second = target("functions.echo"), Front(engine), Front(engine)
    instance = await warmed(engine, made)
    await first.borrow(made.key)

    lent = await second.borrow(made.key)

    assert lent is not None
    assert lent.instance == instance
    second.give_back(instance)


async def test_the_death_of_a_lent_instance_is_told_to_its_borrower(engine: LocalEngine, recorder: Recorder) -> None:
    made, front = target("functions.echo"), Front(engine)
    instance = await warmed(engine, made)
    await front.borrow(made.key)

    engine.leases.condemn(instance, "timeout")

    lease, how = await front.deaths.get()
    assert (lease, how.reason) == (instance, "killed")
    await recorder.wait_for(lambda: recorder.of("terminated") == [(instance, "timeout")])


async def test_instances_end_with_their_borrower(engine: LocalEngine, recorder: Recorder) -> None:
    made, front = target("functions.echo"), Front(engine)
    instance = await warmed(engine, made)
    await front.borrow(made.key)

    engine.leases.lost(front)
    front.idle.pop(instance).close()

    await recorder.wait_for(lambda: bool(recorder.of("terminated")))
    assert (await engine.invoke(made, call())).instance != instance


async def test_a_retired_instance_ends_when_it_is_given_back(engine: LocalEngine, recorder: Recorder) -> None:
    made, front = target("functions.echo"), Front(engine)
    instance = await warmed(engine, made)
    await front.borrow(made.key)

    engine.retire(made.key)
    assert (await front.run(instance)).kind == frames.RESULT
    front.give_back(instance)

    await recorder.wait_for(lambda: recorder.of("terminated") == [(instance, "retired")])


async def test_a_borrower_may_say_that_an_instance_is_of_no_more_use(engine: LocalEngine, recorder: Recorder) -> None:
    made, front = target("functions.echo"), Front(engine)
    instance = await warmed(engine, made)
    await front.borrow(made.key)

    front.give_back(instance, "fatal error")

    await recorder.wait_for(lambda: recorder.of("terminated") == [(instance, "fatal error")])


async def test_calls_on_leases_are_counted_as_provisioned_or_beyond(engine: LocalEngine) -> None:
    made, front = target("functions.echo"), Front(engine)
    ordinary = await warmed(engine, made)
    engine.provision(made, 1)
    await available(engine, made, 1)
    kept = await front.borrow(made.key)
    other = await front.borrow(made.key)
    assert kept is not None
    assert other is not None
    assert other.instance == ordinary

    front.give_back(kept.instance)
    front.give_back(ordinary)

    counters = engine.counters()
    assert (counters.provisioned_calls, counters.spillovers) == (1, 1)


async def test_a_lent_instance_that_is_too_many_ends_when_it_is_given_back(
    engine: LocalEngine, recorder: Recorder
) -> None:
    made, front = target("functions.echo"), Front(engine)
    instance = await warmed(engine, made)
    await front.borrow(made.key)

    engine.bound(made.key, 0)
    assert [view.state for view in engine.snapshot()[0].instances] == ["lent"]
    front.give_back(instance)

    await recorder.wait_for(lambda: (instance, "more than may be") in recorder.of("terminated"))
    with pytest.raises(ThrottledError) as refused:
        await engine.invoke(made, call())
    assert refused.value.scope == "instances"
