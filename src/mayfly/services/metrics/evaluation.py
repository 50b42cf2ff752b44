"""Looks at alarms as time passes: every minute, those with periods below one every ten seconds.

Alarms are looked at shortly after the boundary of a minute, because what was measured in it needs a moment to arrive. A
look is a read; only a change of state, or of its reason while in ALARM, is written.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.policy import alarms as policy
from mayfly.policy.alarms import EXTRA_PERIODS, Rule, Verdict
from mayfly.services.contract import ServiceError
from mayfly.services.metrics import alarms as catalog
from mayfly.services.metrics import questions
from mayfly.services.metrics.alarm_events import stamp
from mayfly.services.metrics.alarms import OFTEN_S, SELDOM_S, Alarms
from mayfly.services.metrics.expressions import Series
from mayfly.services.metrics.model import Alarm
from mayfly.store.api import Reader, Store, Tx

SETTLE_S = 2.0  # after a boundary
PAGE = 100

_log = logging.getLogger(__name__)


class Evaluation:
    """The task that looks. `run` it as long as the service is used."""

    def __init__(self, store: Store, clock: Clock, alarms: Alarms, settle: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._clock = clock
        self._alarms = alarms
        self._settle = settle

    async def run(self) -> None:
        """Look at every boundary, until cancelled."""
        while True:
            now = self._clock.now()
            boundary = now - SETTLE_S - (now - SETTLE_S) % OFTEN_S + OFTEN_S
            await asyncio.sleep(boundary + SETTLE_S - now)
            await self.look(int(boundary))

    async def look(self, boundary: int) -> None:
        """Look at every alarm that is due at `boundary`, a multiple of ten seconds."""
        try:
            await self._settle()
            for every_s in (OFTEN_S, SELDOM_S):
                if boundary % every_s == 0:
                    await self._look_at_all(every_s, boundary)
        except MayflyError as error:
            _log.warning("alarms were not looked at this time: %s", error)

    async def _look_at_all(self, every_s: int, until: int) -> None:
        after: str | None = ""
        while after is not None:
            found, after = await self._store.read(partial(self._considered, every_s, after, until))
            for change in found:
                await self._store.write(change.make)

    def _considered(self, every_s: int, after: str, until: int, reader: Reader) -> "tuple[list[_Change], str | None]":
        """What is to be changed in one page of alarms; where the next page begins, None when this is the last."""
        now = self._clock.now()
        found = catalog.of_interval(reader, every_s, after, PAGE)
        changes = []
        for alarm in found:
            verdict = consider(reader, alarm, until, now)
            if verdict is not None:
                changes.append(_Change(self._alarms, alarm, *verdict))
        return changes, found[-1].name if len(found) == PAGE else None


@dataclass(frozen=True, slots=True)
class _Change:
    """A state to put an alarm into."""

    alarms: Alarms
    alarm: Alarm
    state: policy.State
    reason: str
    data: str

    def make(self, tx: Tx) -> None:
        self.alarms.move(tx, self.alarm, self.state, self.reason, self.data)


def consider(reader: Reader, alarm: Alarm, until: int, now: float) -> tuple[policy.State, str, str] | None:
    """The state that an alarm ought to be in, with reason and reason data; None where it is as it was."""
    rule = rule_of(alarm)
    period_s = alarm.period_s
    if alarm.queries:
        until -= until % period_s  # expressions have periods that begin at multiples of themselves
    since = until - period_s * (rule.evaluation_periods + EXTRA_PERIODS)
    try:
        measured = _measured(reader, alarm, since, until)
    except ServiceError as error:
        reason = f"Insufficient Data: {error.message}"
        same = alarm.state == "INSUFFICIENT_DATA" and alarm.state_reason == reason[:1023]
        return None if same else ("INSUFFICIENT_DATA", reason, "")
    times = range(since, until, period_s)
    verdict = policy.evaluate([measured.get(at) for at in times], rule, alarm.state)
    if verdict.state == alarm.state and (alarm.state_reason_data or not verdict.used):
        return None
    used = [(times[position], measured[times[position]]) for position in verdict.used]
    reason = policy.reason([value for _, value in used], rule, verdict)
    return verdict.state, reason, _reason_data(alarm, rule, verdict, used, now)


def rule_of(alarm: Alarm) -> Rule:
    """When a metric alarm goes off."""
    needed = alarm.datapoints_to_alarm or alarm.evaluation_periods
    missing: Any = alarm.missing or "missing"
    return Rule(alarm.comparison, alarm.threshold, alarm.evaluation_periods, needed, missing)


def _measured(reader: Reader, alarm: Alarm, since: int, until: int) -> Series:
    if alarm.metric is not None:
        return questions.of_metric(reader, alarm.metric, since, until)
    answered = questions.answer(reader, alarm.queries, since, until)
    return answered[next(query.id for query in alarm.queries if query.returns)]


def _reason_data(alarm: Alarm, rule: Rule, verdict: Verdict, used: list[tuple[int, float]], now: float) -> str:
    told: dict[str, Any] = {
        "version": "1.0",
        "queryDate": stamp(now),
        "startDate": stamp(used[0][0]) if used else None,
        "statistic": alarm.metric.statistic if alarm.metric is not None else None,
        "period": alarm.period_s,
        "recentDatapoints": [value for _, value in used],
        "threshold": rule.threshold,
        "evaluatedDatapoints": [{"timestamp": stamp(at), "value": value} for at, value in reversed(used)],
    }
    return json.dumps({key: value for key, value in told.items() if value is not None})
