"""The ledger: usage records in, hourly sums out.

Records are written to a journal before their invocation is acknowledged, so that `kill -9` loses none; `fold` puts
records and their sums into the database in one commit.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from mayfly.clock import Clock
from mayfly.services.ports import UsageRecord
from mayfly.store.api import Reader, Store, Tx

HOUR_MS = 3_600_000
RECORDS_KEPT_MS = 30 * 24 * HOUR_MS

_NEXT_ID = "SELECT coalesce(max(id), 0) + 1 FROM usage_records"
_INSERT_RECORDS = (
    "INSERT INTO usage_records (id, first_ms, last_ms, count, records) VALUES (:id, :first, :last, :count, :records)"
)
_ADD = (
    "INSERT INTO {table} (account, function_arn, {tenant}hour_ms, memory_mb, ephemeral_mb, architecture, requests,"
    " errors, cold_starts, duration_us, billed_ms, init_us, peak_memory_mb)"
    " VALUES (:account, :function_arn, {of_tenant}:hour_ms, :memory_mb, :ephemeral_mb, :architecture, :requests,"
    " :errors, :cold_starts, :duration_us, :billed_ms, :init_us, :peak_memory_mb)"
    " ON CONFLICT (account, function_arn, {tenant}hour_ms, memory_mb, ephemeral_mb, architecture) DO UPDATE SET"
    " requests = {table}.requests + excluded.requests, errors = {table}.errors + excluded.errors,"
    " cold_starts = {table}.cold_starts + excluded.cold_starts,"
    " duration_us = {table}.duration_us + excluded.duration_us,"
    " billed_ms = {table}.billed_ms + excluded.billed_ms, init_us = {table}.init_us + excluded.init_us,"
    " peak_memory_mb = CASE WHEN excluded.peak_memory_mb > {table}.peak_memory_mb"
    " THEN excluded.peak_memory_mb ELSE {table}.peak_memory_mb END"
)
_ADD_TO_HOUR = _ADD.format(table="usage_hours", tenant="", of_tenant="")
_ADD_TO_TENANTS_HOUR = _ADD.format(table="usage_tenant_hours", tenant="tenant, ", of_tenant=":tenant, ")
_SUMS = (
    "SELECT function_arn, memory_mb, ephemeral_mb, architecture, sum(requests), sum(errors), sum(cold_starts),"
    " sum(duration_us), sum(billed_ms), sum(init_us), max(peak_memory_mb) FROM usage_hours"
    " WHERE account = :account AND hour_ms >= :since AND hour_ms < :until"
    " GROUP BY function_arn, memory_mb, ephemeral_mb, architecture ORDER BY function_arn, memory_mb"
)
_SUMS_OF_TENANTS = (
    "SELECT function_arn, memory_mb, ephemeral_mb, architecture, sum(requests), sum(errors), sum(cold_starts),"
    " sum(duration_us), sum(billed_ms), sum(init_us), max(peak_memory_mb), tenant FROM usage_tenant_hours"
    " WHERE account = :account AND hour_ms >= :since AND hour_ms < :until"
    " GROUP BY function_arn, tenant, memory_mb, ephemeral_mb, architecture ORDER BY function_arn, tenant, memory_mb"
)
_RECORDS_AFTER = "SELECT id, records FROM usage_records WHERE id > :after ORDER BY id LIMIT :limit"
_LAST_ID = "SELECT coalesce(max(id), 0) FROM usage_records"
_DROP_OLD = "DELETE FROM usage_records WHERE last_ms < :before"


class Sums(NamedTuple):
    """What one function, at one size, used in a span of time; or what it used for one tenant."""

    function_arn: str
    memory_mb: int
    ephemeral_mb: int
    architecture: str
    requests: int
    errors: int
    cold_starts: int
    duration_us: int
    billed_ms: int
    init_us: int
    peak_memory_mb: int
    tenant: str = ""


class Ledger:
    """Usage of all functions."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._flush: Callable[[], Awaitable[None]] | None = None
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(list[UsageRecord])

    def attach(self, flush: Callable[[], Awaitable[None]]) -> None:
        """Take the `flush` of the journal whose records `fold` is given."""
        self._flush = flush

    def fold(self, tx: Tx, usages: Sequence[UsageRecord]) -> None:
        """Put records and their sums into the database."""
        row = tx.one(_NEXT_ID)
        assert row is not None
        times = [int(usage.started_at * 1000) for usage in usages]
        kept = {"id": row[0], "first": min(times), "last": max(times), "count": len(usages)}
        tx.run(_INSERT_RECORDS, {**kept, "records": self._encoder.encode(usages)})
        tx.many(_ADD_TO_HOUR, _hour_rows(usages))
        if for_tenants := [usage for usage in usages if usage.tenant]:
            tx.many(_ADD_TO_TENANTS_HOUR, _tenants_rows(for_tenants))
        tx.run(_DROP_OLD, {"before": int(self._clock.now() * 1000) - RECORDS_KEPT_MS})

    def records_after(self, reader: Reader, position: int, limit: int) -> tuple[int, list[UsageRecord]]:
        """Up to `limit` batches of records that came after `position`, and the position after them; 0 is before all."""
        found: list[UsageRecord] = []
        for id_, records in reader.all(_RECORDS_AFTER, {"after": position, "limit": limit}):
            found += self._decoder.decode(records)
            position = id_
        return position, found

    def position(self, reader: Reader) -> int:
        """The position after the last batch of records."""
        row = reader.one(_LAST_ID)
        assert row is not None, "an aggregate has a row"
        return int(row[0])

    async def settle(self) -> None:
        """Return when everything that was recorded before the call is in the database."""
        assert self._flush is not None, "the ledger has no journal yet"
        await self._flush()

    async def sums(self, account: str, since: float, until: float, *, by_tenant: bool = False) -> list[Sums]:
        """Usage of the whole hours that begin in [since, until), Unix seconds, everything recorded so far included.

        With `by_tenant`, of the functions that keep their tenants apart, for each of these.
        """
        await self.settle()
        span = {"account": account, "since": _hour_of(since), "until": int(until * 1000)}

        def body(reader: Reader) -> list[Sums]:
            return [Sums(*row) for row in reader.all(_SUMS_OF_TENANTS if by_tenant else _SUMS, span)]

        return await self._store.read(body)


def _hour_of(timestamp: float) -> int:
    milliseconds = int(timestamp * 1000)
    return milliseconds - milliseconds % HOUR_MS


def _hour_rows(usages: Iterable[UsageRecord]) -> list[dict[str, object]]:
    """One row a function, hour and size: a batch of a busy function becomes one update."""
    alike: defaultdict[tuple[str, str, int, int, int, str], list[UsageRecord]] = defaultdict(list)
    for usage in usages:
        hour_ms = _hour_of(usage.started_at)
        place = (usage.account, usage.function_arn, hour_ms, usage.memory_mb, usage.ephemeral_mb, usage.architecture)
        alike[place].append(usage)
    names = ("account", "function_arn", "hour_ms", "memory_mb", "ephemeral_mb", "architecture")
    return [{**dict(zip(names, place, strict=True)), **_sums(found)} for place, found in alike.items()]


def _tenants_rows(usages: Iterable[UsageRecord]) -> list[dict[str, object]]:
    """The same for each tenant."""
    of_tenant: defaultdict[str, list[UsageRecord]] = defaultdict(list)
    for usage in usages:
        of_tenant[usage.tenant].append(usage)
    return [{**row, "tenant": tenant} for tenant, found in of_tenant.items() for row in _hour_rows(found)]


def _sums(usages: list[UsageRecord]) -> dict[str, object]:
    return {
        "requests": len(usages),
        "errors": sum([usage.outcome != "ok" for usage in usages]),
        "cold_starts": sum([usage.init_ms is not None for usage in usages]),
        "duration_us": sum([round(usage.duration_ms * 1000) for usage in usages]),
        "billed_ms": sum([usage.billed_ms for usage in usages]),
        "init_us": sum([round(usage.init_ms * 1000) for usage in usages if usage.init_ms]),
        "peak_memory_mb": max([usage.peak_memory_mb for usage in usages]),
    }
