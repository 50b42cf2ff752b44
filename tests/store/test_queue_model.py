"""The ready queue against a model of a few lines, under any sequence of calls."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from mayfly.clock import Clock, ManualClock
from mayfly.store.api import Claim, NewItem, ReadyQueue, StaleClaimError, Store

NAMES = st.sampled_from(["q", "r"])
DELAYS = st.integers(-3, 12)


@dataclass(frozen=True)
class Item:
    """What the model knows of an item."""

    queue: str
    payload: bytes
    priority: int
    due_at: float
    attempt: int = 0
    holder: tuple[int, int] | None = None  # id and epoch of the claim that counts


class QueueMachine(RuleBasedStateMachine):
    """Runs every call against the real queue and the model, and compares what they say."""

    make_store: Callable[[AsyncExitStack, Path, Clock], Awaitable[Store]]
    make_queue: Callable[[Store, Clock], ReadyQueue]
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.stack = AsyncExitStack()
        self.items: dict[int, Item] = {}
        self.buried: dict[int, tuple[str, int]] = {}
        self.store: Store = self.run(self.opened())
        self.queue: ReadyQueue = type(self).make_queue(self.store, self.clock)

    async def opened(self) -> Store:
        return await type(self).make_store(self.stack, Path(self.directory.name), self.clock)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()
        self.directory.cleanup()

    @rule(
        new=st.lists(
            st.tuples(NAMES, st.integers(-1, 1), st.one_of(st.none(), DELAYS), st.binary(max_size=3)), max_size=4
        )
    )
    def enqueue(self, new: list[tuple[str, int, int | None, bytes]]) -> None:
        now = self.clock.now()
        items = [
            NewItem(name, payload, None if delay is None else now + delay, priority)
            for name, priority, delay, payload in new
        ]
        ids = self.run(self.store.write(lambda tx: self.queue.enqueue(tx, items)))
        assert len(ids) == len(items)
        assert ids == sorted(set(ids))
        assert all(id_ > max(self.items, default=0) for id_ in ids)
        for id_, item in zip(ids, items, strict=True):
            due_at = now if item.ready_at is None else item.ready_at
            self.items[id_] = Item(item.queue, item.payload, item.priority, due_at)

    @rule(target=claims, name=NAMES, limit=st.integers(1, 3), lease_s=st.integers(1, 8))
    def claim(self, name: str, limit: int, lease_s: int) -> Any:
        now = self.clock.now()
        got: list[Claim] = self.run(self.queue.claim(name, limit, lease_s))
        due = [id_ for id_, item in self.items.items() if item.queue == name and item.due_at <= now]
        due.sort(key=lambda id_: (-self.items[id_].priority, self.items[id_].due_at, id_))
        assert [claim.id for claim in got] == due[:limit]
        for claim in got:
            item = self.items[claim.id]
            assert (claim.payload, claim.attempt, claim.queue) == (item.payload, item.attempt + 1, name)
            assert item.holder is None or claim.epoch > item.holder[1]
            self.items[claim.id] = replace(
                item, due_at=now + lease_s, attempt=claim.attempt, holder=(claim.id, claim.epoch)
            )
        return multiple(*got)

    def settle(self, claim: Claim, call: Callable[[], Coroutine[Any, Any, Any]]) -> bool:
        """Make a call that needs a claim; whether the claim held, which the model must agree with."""
        held = claim.id in self.items and self.items[claim.id].holder == (claim.id, claim.epoch)
        try:
            self.run(call())
        except StaleClaimError:
            assert not held
            return False
        assert held
        return True

    @rule(claim=claims)
    def complete(self, claim: Claim) -> None:
        if self.settle(claim, lambda: self.store.write(lambda tx: self.queue.complete(tx, claim))):
            del self.items[claim.id]

    @rule(claim=claims, delay=DELAYS)
    def retry(self, claim: Claim, delay: int) -> None:
        ready_at = self.clock.now() + delay
        if self.settle(claim, lambda: self.store.write(lambda tx: self.queue.retry(tx, claim, ready_at))):
            item = self.items[claim.id]
            self.items[claim.id] = replace(item, due_at=ready_at, holder=(claim.id, claim.epoch + 1))

    @rule(claim=consumes(claims), lease_s=st.integers(1, 8), target=claims)
    def extend(self, claim: Claim, lease_s: int) -> Claim:
        if self.settle(claim, lambda: self.queue.extend(claim, lease_s)):
            self.items[claim.id] = replace(self.items[claim.id], due_at=self.clock.now() + lease_s)
        return claim

    @rule(claim=claims)
    def bury(self, claim: Claim) -> None:
        if self.settle(claim, lambda: self.store.write(lambda tx: self.queue.bury(tx, claim, "why"))):
            self.buried[claim.id] = (claim.queue, claim.attempt)
            del self.items[claim.id]

    @rule(seconds=st.integers(0, 10))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def nothing_is_lost(self) -> None:
        for name in ("q", "r"):
            depth = self.run(self.queue.depth(name))
            assert depth == sum(1 for item in self.items.values() if item.queue == name)
            dead = self.run(self.queue.dead(name, 1000))
            expected = sorted((id_, attempts) for id_, (queue, attempts) in self.buried.items() if queue == name)
            assert [(item.id, item.attempts) for item in dead] == expected


def test_the_queue_behaves_like_its_model(
    make_store: Callable[[AsyncExitStack, Path, Clock], Awaitable[Store]],
    make_queue: Callable[[Store, Clock], ReadyQueue],
) -> None:
    made = {"make_store": staticmethod(make_store), "make_queue": staticmethod(make_queue)}
    machine = type("Machine", (QueueMachine,), made)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
