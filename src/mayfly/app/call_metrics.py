"""Metrics and events of functions, from the records of their calls: `AWS/Lambda` and `mayfly.functions`; and what
services only count.

Read from the ledger, behind the calls and off their path: whoever asks for metrics, and whoever looks at alarms, has
them settled first. Each record counts once, because what it adds and how far was read are one commit. Calls that were
throttled leave no record; they, and what else is only counted, are kept in memory until the next settling or second, so
a crash may lose the last of them.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.ids import Arn
from mayfly.metering.ledger import Ledger
from mayfly.policy.quantiles import Sketch, bucket, merge
from mayfly.services.metrics import series, sources
from mayfly.services.metrics.model import Datum, Dimensions
from mayfly.services.ports import Counted, PlatformEvents, UsageRecord
from mayfly.store.api import Reader, Store, Tx

NAMESPACE: Final = "AWS/Lambda"
SOURCE: Final = "mayfly.functions"
BATCHES: Final = 50  # of the ledger in one transaction
OUT_OF_MEMORY: Final = "out-of-memory"
COUNT_EVERY_S: Final = 1.0
PROVISIONED: Final = "ProvisionedConcurrencyInvocations"
SPILLOVER: Final = "ProvisionedConcurrencySpilloverInvocations"

ProvisionedCalls = Iterable[
    tuple[str, int, int]
]  # ARN of a function, calls on provisioned instances, calls beyond them

_log = logging.getLogger(__name__)


class CallMetrics:
    """Brings metrics up to date with the ledger."""

    def __init__(
        self, store: Store, ledger: Ledger, flush: Callable[[], Awaitable[None]], events: PlatformEvents, clock: Clock
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._flush = flush
        self._events = events
        self._clock = clock
        self._settling = asyncio.Lock()
        self._throttled: Counter[str] = Counter()
        self._provisioned: Callable[[], ProvisionedCalls] = tuple
        self._provisioned_before: dict[str, tuple[int, int]] = {}
        self._drains: list[Callable[[], Iterable[Counted]]] = []
        self._counted: defaultdict[tuple[str, str, str, Dimensions], list[float]] = defaultdict(list)

    def watch(self, provisioned: Callable[[], ProvisionedCalls]) -> None:
        """From now on count what is told of calls on provisioned instances."""
        self._provisioned = provisioned

    def throttled(self, function: str) -> None:
        """A call of the function of that name was refused because of a limit."""
        self._throttled[function] += 1

    def count(
        self,
        metric: str,
        dimensions: Sequence[tuple[str, str]],
        amount: float = 1.0,
        unit: str = "Count",
        namespace: str = NAMESPACE,
    ) -> None:
        """See `ports.MetricCounts`."""
        self._counted[namespace, metric, unit, tuple(sorted(dimensions))].append(amount)

    def gather(self, drain: Callable[[], Iterable[Counted]]) -> None:
        """See `ports.MetricCounts`."""
        self._drains.append(drain)

    async def run(self) -> None:
        """Bring what is only counted into the metrics every second, until cancelled."""
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            try:
                async with self._settling:
                    await self._settle_counts()
            except MayflyError as error:
                _log.warning("numbers of functions were not counted this time: %s", error)

    async def settle(self) -> None:
        """Return when everything that was recorded before the call is in the metrics."""
        await self._flush()
        async with self._settling:
            await self._settle_counts()
            while await self._store.read(self._behind):
                await self._store.write(self._catch_up)

    def _count_provisioned(self) -> None:
        found = {function: (calls, beyond) for function, calls, beyond in self._provisioned()}
        for function, (calls, beyond) in found.items():
            before = self._provisioned_before.get(function, (0, 0))
            if calls < before[0] or beyond < before[1]:
                before = (0, 0)  # it was forgotten, and begins again
            for metric, number in ((PROVISIONED, calls - before[0]), (SPILLOVER, beyond - before[1])):
                for where in ((), (("FunctionName", name_of(function)),)) if number else ():
                    self._counted[NAMESPACE, metric, "Count", where].extend([1.0] * number)
        self._provisioned_before = found

    async def _settle_counts(self) -> None:
        self._count_provisioned()
        for drain in self._drains:
            for found in drain():
                self._counted[found.namespace, found.metric, found.unit, found.dimensions].extend(found.amounts)
        if self._throttled:
            throttled, self._throttled = self._throttled, Counter()
            await self._store.write(lambda tx: self._count_throttles(tx, throttled))
        if self._counted:
            counted, self._counted = self._counted, defaultdict(list)
            now = int(self._clock.now())
            data = [
                _datum(metric, unit, now, found, where, namespace)
                for (namespace, metric, unit, where), found in counted.items()
            ]
            await self._store.write(lambda tx: series.record(tx, data))

    def _behind(self, reader: Reader) -> bool:
        return sources.position(reader, SOURCE) != self._ledger.position(reader)

    def _catch_up(self, tx: Tx) -> None:
        before = sources.position(tx, SOURCE) or 0
        after, usages = self._ledger.records_after(tx, before, BATCHES)
        series.record(tx, measured(usages))
        for usage in usages:
            if usage.outcome == OUT_OF_MEMORY:
                self._tell_of_memory(tx, usage)
        # Batches may have been dropped for their age: then there is nothing after `before` but the end.
        sources.move_to(tx, SOURCE, after if usages else self._ledger.position(tx))

    def _tell_of_memory(self, tx: Tx, usage: UsageRecord) -> None:
        detail = {
            "functionName": name_of(usage.function_arn),
            "functionArn": usage.function_arn,
            "requestId": usage.request_id,
            "memoryLimitInMB": usage.memory_mb,
            "maxMemoryUsedInMB": usage.peak_memory_mb,
        }
        self._events.emit(tx, SOURCE, "Function Instance Out Of Memory", detail, [usage.function_arn])

    def _count_throttles(self, tx: Tx, counts: Counter[str]) -> None:
        now = int(self._clock.now())
        for name, count in counts.items():
            series.record(tx, _data(name, "Throttles", "Count", now, [1.0] * count))
            self._events.emit(tx, SOURCE, "Function Throttled", {"functionName": name, "count": count})


def name_of(arn: str) -> str:
    """The name of the function in an ARN, with or without a version."""
    return Arn.parse(arn).resource.split(":")[1]


def measured(usages: Iterable[UsageRecord]) -> Iterator[Datum]:
    """What calls add to the metrics of their functions, of what they were called by, and of all functions together."""
    by_minute: defaultdict[tuple[Dimensions, int], list[UsageRecord]] = defaultdict(list)
    for usage in usages:
        at = int(usage.started_at) // 60 * 60
        for dimensions in dimensions_of(usage):
            by_minute[dimensions, at].append(usage)
    for (dimensions, at), found in by_minute.items():
        yield _datum("Invocations", "Count", at, [1.0] * len(found), dimensions)
        yield _datum("Errors", "Count", at, [float(usage.outcome != "ok") for usage in found], dimensions)
        yield _datum("Duration", "Milliseconds", at, [usage.duration_ms for usage in found], dimensions)


def dimensions_of(usage: UsageRecord) -> Iterator[Dimensions]:
    """Under which dimensions a call is counted, as AWS has it. A version or alias is a resource of its own, and of an
    alias each version that it shares its calls between is."""
    _, name, version = Arn.parse(usage.function_arn).resource.split(":")
    function = ("FunctionName", name)
    yield ()
    yield (function,)
    if usage.qualifier:
        resource = ("Resource", f"{name}:{usage.qualifier}")
        yield (function, resource)
        if not usage.qualifier.isdecimal() and not usage.qualifier.startswith("$"):
            yield (("ExecutedVersion", version), function, resource)


def _data(function: str, name: str, unit: str, at: int, values: list[float]) -> Iterator[Datum]:
    either: tuple[Dimensions, ...] = ((), (("FunctionName", function),))
    for dimensions in either:
        yield _datum(name, unit, at, values, dimensions)


def _datum(
    name: str, unit: str, at: int, values: list[float], dimensions: Dimensions, namespace: str = NAMESPACE
) -> Datum:
    sketch: Sketch = {}
    for value, count in Counter(values).items():
        merge(sketch, {bucket(value): float(count)})
    return Datum(
        namespace,
        name,
        dimensions,
        unit,
        at,
        False,
        float(len(values)),
        sum(values),
        min(values),
        max(values),
        sketch,
    )
