"""Keys that tick by an expression of an EventBridge rule, in UTC: `services.ports.Ticker`, on one `Ticker`.

The composition root makes one for the rules of event buses and hands it what a tick does. A rate first ticks one
interval after it was put; putting what is there already changes nothing, so that a rule may be written again at any
time. Ticks that were missed follow `policy.ticks`: one run, late, if the last of them is not older than a day.
"""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from mayfly.clock import Clock
from mayfly.policy import recurrence, ticks
from mayfly.policy.cron import Cron
from mayfly.policy.recurrence import InvalidExpressionError, Rate, Recurrence
from mayfly.store.api import Store, Tx
from mayfly.ticker.ticker import Moment, Tick, Ticker

PATIENCE_S = 86_400.0
_KNOWN = 4096  # expressions that are remembered as parsed

FIND = "SELECT expression, anchor FROM ticker_expressions WHERE kind = :kind AND key = :key"
PUT = """
INSERT INTO ticker_expressions (kind, key, expression, anchor) VALUES (:kind, :key, :expression, :anchor)
ON CONFLICT (kind, key) DO UPDATE SET expression = excluded.expression, anchor = excluded.anchor
"""
REMOVE = "DELETE FROM ticker_expressions WHERE kind = :kind AND key = :key"


class RecurringTicker:
    """`services.ports.Ticker`. `run` must be a task for as long as anything is to tick.

    `act` is called with a key and the moment that ticks, once for each, in the transaction that moves the key on.
    """

    def __init__(self, store: Store, clock: Clock, kind: str, act: Callable[[Tx, str, float], None]) -> None:
        self._clock = clock
        self._kind = kind
        self._act = act
        self._parsed: dict[str, Rate | Cron] = {}
        self._utc = ZoneInfo("UTC")
        self.ticker = Ticker(store, clock, kind, self._tick)

    async def run(self) -> None:
        """Tick until cancelled."""
        await self.ticker.run()

    def check(self, expression: str) -> None:
        """`ValueError` unless it is `rate(…)` or `cron(…)` as rules have it."""
        try:
            recurrence.parse_rule(expression)
        except InvalidExpressionError as error:
            raise ValueError(str(error)) from None

    def put(self, tx: Tx, key: str, expression: str) -> None:
        """Let `key` tick by `expression` from now on, unless it does already."""
        row = tx.one(FIND, {"kind": self._kind, "key": key})
        if row is not None and row[0] == expression:
            return
        now = self._clock.now()
        wanted = self._recurrence(expression, now)
        tx.run(PUT, {"kind": self._kind, "key": key, "expression": expression, "anchor": wanted.anchor})
        following = recurrence.next_after(wanted, now)
        self.ticker.set(tx, key, None if following is None else Moment(following, following))

    def remove(self, tx: Tx, key: str) -> None:
        """Let `key` tick no more. Idempotent."""
        tx.run(REMOVE, {"kind": self._kind, "key": key})
        self.ticker.set(tx, key, None)

    def _tick(self, tx: Tx, tick: Tick, now: float) -> Moment | None:
        row = tx.one(FIND, {"kind": self._kind, "key": tick.key})
        if row is None:
            return None
        verdict = ticks.judge(self._recurrence(row[0], None, row[1]), tick.at, now, 0.0, PATIENCE_S)
        if verdict.run is not None:
            self._act(tx, tick.key, verdict.run)
        return None if verdict.following is None else Moment(verdict.following, verdict.following)

    def _recurrence(self, expression: str, now: float | None, anchor: float = 0.0) -> Recurrence:
        """`now`: the rate begins to count; else it counts from `anchor`."""
        parsed = self._parsed.get(expression)
        if parsed is None:
            if len(self._parsed) >= _KNOWN:
                self._parsed.clear()
            parsed = self._parsed[expression] = recurrence.parse_rule(expression)
        if now is not None and isinstance(parsed, Rate):
            anchor = now + parsed.interval_s
        return Recurrence(parsed, self._utc, anchor)
