"""Rules' expressions on the ticker: what ticks when, over changes and restarts."""

from collections.abc import Awaitable, Callable

import pytest

from mayfly.clock import ManualClock
from mayfly.store.api import Tx
from mayfly.store.sqlite import SqliteStore
from mayfly.ticker.recurring import RecurringTicker

OpenStore = Callable[..., Awaitable[SqliteStore]]


class Rules:
    """A ticker whose ticks are written down in the database, as a bus would."""

    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.start = clock.now()
        self.recurring = RecurringTicker(store, clock, "rules", self.act)

    def act(self, tx: Tx, key: str, at: float) -> None:
        tx.run("INSERT INTO ran (key, at) VALUES (:key, :at)", {"key": key, "at": at})

    async def put(self, key: str, expression: str) -> None:
        await self.store.write(lambda tx: self.recurring.put(tx, key, expression))

    async def ran(self, after: float = 0.0) -> list[float]:
        """Let time pass and everything that is due tick; when `key` did, in seconds since the start."""
        self.clock.advance(after)
        await self.recurring.ticker.settle()
        rows = await self.store.read(lambda reader: reader.all("SELECT at FROM ran ORDER BY at"))
        return [at - self.start for (at,) in rows]


@pytest.fixture
async def rules(open_store: OpenStore, clock: ManualClock) -> Rules:
    store = await open_store("mayfly.ticker")
    await store.write(lambda tx: tx.run("CREATE TABLE ran (key TEXT NOT NULL, at DOUBLE PRECISION NOT NULL)"))
    return Rules(store, clock)


async def test_a_rate_first_ticks_one_interval_after_it_was_put(rules: Rules) -> None:
    await rules.put("a", "rate(5 minutes)")
    assert await rules.ran(299) == []
    assert await rules.ran(1) == [300]
    assert await rules.ran(300) == [300, 600]


async def test_writing_the_same_expression_again_changes_nothing(rules: Rules) -> None:
    await rules.put("a", "rate(5 minutes)")
    rules.clock.advance(200)
    await rules.put("a", "rate(5 minutes)")
    assert await rules.ran(100) == [300]


async def test_another_expression_counts_from_when_it_was_put(rules: Rules) -> None:
    await rules.put("a", "rate(5 minutes)")
    rules.clock.advance(200)
    await rules.put("a", "rate(1 hour)")
    assert await rules.ran(3599) == []
    assert await rules.ran(1) == [3800]


async def test_what_was_removed_does_not_tick(rules: Rules) -> None:
    await rules.put("a", "rate(1 minute)")
    for _ in range(2):
        await rules.store.write(lambda tx: rules.recurring.remove(tx, "a"))
    assert await rules.ran(120) == []


async def test_after_a_pause_there_is_one_tick_for_the_last_moment_that_was_missed(rules: Rules) -> None:
    await rules.put("a", "rate(1 minute)")
    rules.clock.advance(3630)
    rules.recurring = RecurringTicker(rules.store, rules.clock, "rules", rules.act)  # the next process
    assert await rules.ran() == [3600]
    assert await rules.ran(30) == [3600, 3660]


async def test_cron_expressions_tick_in_utc(rules: Rules) -> None:
    await rules.put("a", "cron(0 0 * * ? *)")
    assert await rules.ran(86_400) == [86_400 - rules.start % 86_400]


@pytest.mark.parametrize("expression", ["rate(1 minutes)", "at(2030-01-01T00:00:00)", "cron(0 1 * * * *)", ""])
def test_what_rules_do_not_take_is_refused(rules: Rules, expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        rules.recurring.check(expression)
