"""Habits over a restart: stored, read again, and of no harm when they cannot be."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mayfly.app.remembering import KEPT_MS, Remembering
from mayfly.clock import ManualClock
from mayfly.engine.api import Target
from mayfly.engine.habits import Habits, Remembered
from mayfly.policy.hazard import Hazard
from mayfly.policy.windows import Subject
from mayfly.sandbox.api import SandboxSpec
from mayfly.store.api import Store, Tx
from mayfly.store.sqlite import SqliteStore

HOUR_S = 3600.0
RULE = Hazard(price=2.0, kinship=0.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await SqliteStore.open(tmp_path / "db", ["mayfly.app"], ManualClock(1e9))
    yield opened
    await opened.close()


def habits(clock: ManualClock) -> Habits[Any]:
    return Habits(RULE, RULE.settle_s, clock, lambda target: None, lambda at: None)


async def no_environment(instance: str) -> Mapping[str, str]:
    return {}


def target(function: str, memory_mb: int = 128) -> Target:
    spec = SandboxSpec("python3.11", Path("/code"), memory_mb=memory_mb)
    return Target(f"{function}:1", function, spec, "app.handler", 3.0, no_environment)


def called(known: Habits[Any], clock: ManualClock, function: str, *idle_times: float) -> None:
    for idle_s in idle_times:
        clock.advance(idle_s)
        known.called(target(function), clock.monotonic())
        known.ended(f"{function}:1")


async def restarted(store: Store, clock: ManualClock) -> Habits[Any]:
    known = habits(clock)
    await Remembering(store, known, RULE.shape, clock).start()
    return known


async def test_an_hourly_function_is_expected_again_from_its_first_call_after_a_restart(store: Store) -> None:
    clock = ManualClock(1e9)
    before = habits(clock)
    called(before, clock, "hourly", 0.0, *[HOUR_S] * 6)
    await Remembering(store, before, RULE.shape, clock).keep()
    clock.advance(HOUR_S)

    after = await restarted(store, clock)
    called(after, clock, "hourly", 0.0)
    asked = after.told()
    assert [one.function for one in asked] == ["hourly"]
    decision = RULE.decide(asked[0].state)
    assert decision.reason == "expected later"
    assert decision.prewarm_after_s < HOUR_S < decision.end_s
    assert asked[0].state.total == 7  # the time that the restart was a part of is one of them


async def test_what_was_not_called_since_is_not_stored_again(store: Store) -> None:
    clock = ManualClock(1e9)
    known = habits(clock)
    called(known, clock, "one", 0.0)
    assert [one.function for one in known.told()] == ["one"]
    assert known.told() == []
    called(known, clock, "two", 0.0)
    assert [one.function for one in known.told()] == ["two"]


async def test_a_call_under_way_leaves_the_idle_time_open(store: Store) -> None:
    clock = ManualClock(1e9)
    known = habits(clock)
    called(known, clock, "busy", 0.0, HOUR_S)
    known.called(target("busy"), clock.monotonic())
    (told,) = known.told()
    assert told.idle_s is None

    await Remembering(store, known, RULE.shape, clock).keep()  # told already: nothing
    called_again = habits(clock)
    called_again.recall([told])
    called(called_again, clock, "busy", HOUR_S)
    assert called_again.told()[0].state == told.state


async def test_a_function_that_grew_is_known_by_its_new_size(store: Store) -> None:
    clock = ManualClock(1e9)
    known = habits(clock)
    known.recall([Remembered("grown", Subject(128.0, 250.0), RULE.start(Subject(128.0, 250.0)), None)])
    known.called(target("grown", memory_mb=512), clock.monotonic())
    known.ended("grown:1")
    assert known.told()[0].subject == Subject(512.0, 250.0)


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE engine_habits SET learnt = x'ff'",
        "UPDATE engine_habits SET shape = 'another'",
        f"UPDATE engine_habits SET told_ms = told_ms - {KEPT_MS + 1}",
    ],
)
async def test_what_is_unreadable_or_old_is_learnt_anew(store: Store, spoil: str) -> None:
    clock = ManualClock(1e9)
    before = habits(clock)
    called(before, clock, "hourly", 0.0, *[HOUR_S] * 6)
    await Remembering(store, before, RULE.shape, clock).keep()

    def apply(tx: Tx) -> int:
        return tx.run(spoil)

    assert await store.write(apply) == 1
    after = await restarted(store, clock)
    called(after, clock, "hourly", 1.0)
    assert after.told()[0].state.total == 0


async def test_rows_of_functions_that_nobody_calls_go(store: Store) -> None:
    clock = ManualClock(1e9)
    known = habits(clock)
    remembering = Remembering(store, known, RULE.shape, clock)
    called(known, clock, "gone", 0.0)
    await remembering.keep()
    called(known, clock, "here", KEPT_MS / 1000 + 1)
    await remembering.keep()
    rows = await store.read(lambda reader: reader.all("SELECT function FROM engine_habits"))
    assert rows == [("here",)]
