"""Metrics and alarms on a real store, called as the wire calls them, on a clock that stands still."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import ANONYMOUS, RequestContext, ServiceError
from mayfly.services.metrics.on_the_wire import MetricsOnTheWire
from mayfly.services.metrics.service import PACKAGE, MetricsService
from mayfly.services.ports import PLAIN, TargetOptions
from mayfly.store.api import Tx
from mayfly.store.sqlite import SqliteStore

ACCOUNT, REGION = "000000000000", "us-east-1"
MINUTE = 1_700_000_040  # a whole minute


async def nothing() -> None:
    """Nothing is measured elsewhere."""


class Told:
    """Targets and the bus: note what was committed; a target named "broken" takes nothing."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.subjects: list[str | None] = []
        self.emitted: list[tuple[str, str, dict[str, Any]]] = []

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        return

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        if arn.endswith("broken"):
            raise ServiceError("ResourceNotFoundException", "it is gone")
        tx.after_commit(lambda: self.events.append((arn, json.loads(event))))
        tx.after_commit(lambda: self.subjects.append(options.subject))

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        tx.after_commit(lambda: self.emitted.append((source, detail_type, dict(detail))))


class Metrics:
    """Operations by name, and the passing of time."""

    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.told = Told()
        self.service = MetricsService(store, clock, self.told, self.told, nothing, ACCOUNT, REGION)
        self.wire = MetricsOnTheWire(self.service)
        self._context = RequestContext("request-1", ACCOUNT, REGION, ANONYMOUS, "http://127.0.0.1:4566")

    async def call(self, name: str, **request: Any) -> dict[str, Any]:
        """The reply."""
        reply: dict[str, Any] = await self.wire.operations[name](self._context, request)
        return reply

    async def refused(self, name: str, **request: Any) -> ServiceError:
        """The error of a call that must fail."""
        with pytest.raises(ServiceError) as caught:
            await self.call(name, **request)
        return caught.value

    async def put(self, *values: float, name: str = "Load", **more: Any) -> None:
        """Data of now, one datum a value."""
        data = [{"MetricName": name, "Value": value, **more} for value in values]
        await self.call("PutMetricData", Namespace="Tests", MetricData=data)

    async def alarm(self, name: str = "high", **more: Any) -> None:
        """An alarm on the average of Tests/Load above 3, one minute of one."""
        settings = {
            "Namespace": "Tests",
            "MetricName": "Load",
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 3.0,
            "ComparisonOperator": "GreaterThanThreshold",
        }
        await self.call("PutMetricAlarm", **{"AlarmName": name, **settings, **more})

    async def look(self) -> None:
        """Move on to the next minute, and look at alarms as it begins."""
        self.clock.advance(60 - self.clock.now() % 60)
        await self.service.evaluation.look(int(self.clock.now()))

    async def state(self, name: str = "high") -> str:
        reply = await self.call("DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        state: str = (reply["MetricAlarms"] + reply["CompositeAlarms"])[0]["StateValue"]
        return state


@pytest.fixture
async def metrics(open_store: Any) -> Metrics:
    clock = ManualClock(float(MINUTE))
    store: SqliteStore = await open_store(PACKAGE)
    return Metrics(store, clock)
