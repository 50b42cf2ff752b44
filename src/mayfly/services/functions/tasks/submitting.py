"""Many tasks at once: lines of JSON, checked one and all before the first of them is accepted.

    {"function": "resize", "payload": {"key": "a.jpg"}, "priority": 10, "deadline": 3600, "tenant": "acme"}

A batch has an id, and its tasks have theirs from it and their place in it. So whoever got no answer sends the batch
again by the same id, and what was accepted before is not accepted twice. The lanes of a batch rest while it is written,
which takes a second for 100,000: what goes first is decided when all of it is there.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from mayfly import ids
from mayfly.services.contract import ServiceError
from mayfly.services.functions import invoker, tenancy
from mayfly.services.functions.asynchronous import EventQueue
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.names import Home
from mayfly.services.functions.tasks import options
from mayfly.services.functions.tasks import statements as sql
from mayfly.services.functions.tasks.errors import TaskRefusedError
from mayfly.services.functions.tasks.lanes import Lanes, lane_of
from mayfly.services.functions.tasks.options import TaskOptions
from mayfly.settings import FunctionLimits
from mayfly.store.api import Reader, Store

MOST_TASKS = 100_000
TOGETHER = 500  # in one body of the store
_CHECKED_TOGETHER = 200  # in one turn of the event loop
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One task as it is submitted."""

    function: str | None = None  # name or ARN, qualified or not
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    priority: int | None = None
    deadline: float | str | None = None
    tenant: str | None = None


class _Named(NamedTuple):
    name: str
    qualifier: str | None
    arn: str
    per_tenant: bool


class Submitted(NamedTuple):
    """What became of a batch."""

    batch: str
    accepted: int
    before: int  # were accepted before


_decode = msgspec.json.Decoder(Line).decode


class Lines:
    """The lines of a file, as often as one wants to go through them; empty ones are left out."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        return (line for line in self._file if not line.isspace())


class Submitting:
    """Accepts batches."""

    def __init__(
        self, store: Store, events: EventQueue, lanes: Lanes, catalog: Catalog, home: Home, limits: FunctionLimits
    ) -> None:
        self._store = store
        self._events = events
        self._lanes = lanes
        self._catalog = catalog
        self._home = home
        self._limits = limits
        self._ids = ids.RequestIds()

    async def submit(self, lines: Sequence[bytes] | Lines, defaults: Line, batch: str | None) -> Submitted:
        """Accept all lines, or none; durable on return. `lines` are gone through twice. `TaskRefusedError`."""
        if batch is not None and _UUID.fullmatch(batch) is None:
            raise TaskRefusedError(f"the id of a batch is a UUID in lower case, not {batch!r}")
        now = self._events.now()
        known: dict[str, _Named] = {}
        queues, count = set(), 0
        for some in _chunks(lines, _CHECKED_TOGETHER):
            for line in some:
                count += 1
                if count > MOST_TASKS:
                    raise TaskRefusedError(f"a batch has at most {MOST_TASKS:,} tasks")
                try:
                    event = await self._event(line, defaults, known, now, "", "")
                except (ServiceError, TaskRefusedError) as error:
                    raise TaskRefusedError(f"line {count}: {error}") from error
                queues.add(lane_of(event.name, event.sharer))
            await asyncio.sleep(0)
        id_ = batch or self._ids.next()
        self._lanes.hold(queues)
        try:
            accepted = await self._accept(lines, defaults, known, now, id_, resumed=batch is not None)
        finally:
            self._lanes.release(queues)
        return Submitted(id_, accepted, count - accepted)

    async def one(self, line: bytes, request_id: str) -> None:
        """Accept one task with an id of the caller's making. `TaskRefusedError`."""
        now = self._events.now()
        try:
            event = await self._event(line, Line(), {}, now, request_id, None)
        except ServiceError as error:
            raise TaskRefusedError(str(error)) from error
        await self._store.write(lambda tx: self._events.put(tx, event))

    async def _accept(
        self, lines: Iterable[bytes], defaults: Line, known: dict[str, _Named], now: float, batch: str, *, resumed: bool
    ) -> int:
        if resumed:
            resumed = await self._store.read(lambda reader: reader.one(sql.BATCH_EXISTS, {"batch": batch})) is not None
        accepted = index = 0
        for some in _chunks(lines, TOGETHER):
            events = []
            for line in some:
                events.append(await self._event(line, defaults, known, now, f"{batch[:24]}{index:012x}", batch))
                index += 1
            if resumed:
                there = await self._store.read(partial(_there, events=events))
                events = [event for event in events if event.request_id not in there]
            if events:
                await self._store.write(partial(self._events.put_all, events=events))
            accepted += len(events)
        return accepted

    async def _event(
        self, text: bytes, defaults: Line, known: dict[str, _Named], now: float, task_id: str, batch: str | None
    ) -> AsyncEvent:
        """`ServiceError`, `TaskRefusedError` for what cannot be."""
        try:
            line = _decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise TaskRefusedError(f"this is no task: {error}") from error
        function = line.function or defaults.function
        if function is None:
            raise TaskRefusedError("which function? say so in the line, or for all of them")
        named = known.get(function)
        if named is None:
            named = known[function] = await self._named(function)
        payload = bytes(line.payload)
        if len(payload) > self._limits.async_payload_bytes:
            raise TaskRefusedError(f"the payload has more than {self._limits.async_payload_bytes} bytes")
        if not payload.isascii():
            invoker.check_json(payload)
        said = _options(line, defaults, now)
        return AsyncEvent(
            task_id,
            named.name,
            named.arn,
            payload,
            now,
            qualifier=named.qualifier,
            tenant=said.tenant or None if named.per_tenant else None,
            on_behalf_of=said.tenant,
            priority=said.priority,
            deadline=said.deadline,
            batch=batch,
        )

    async def _named(self, function: str) -> _Named:
        reference = self._home.parse(function)
        entry = await self._catalog.get(reference.name, reference.qualifier)
        configuration = entry.function.configuration
        if configuration.durable is not None:
            raise TaskRefusedError(f"{reference.name} is durable: its executions are started with Invoke")
        if configuration.per_tenant:
            tenancy.of_call(configuration, "any")
        arn = self._home.arn(reference.name, reference.qualifier)
        return _Named(reference.name, reference.qualifier, arn, configuration.per_tenant)


def _options(line: Line, defaults: Line, now: float) -> TaskOptions:
    priority = line.priority if line.priority is not None else defaults.priority
    deadline = line.deadline if line.deadline is not None else defaults.deadline
    tenant = line.tenant if line.tenant is not None else defaults.tenant
    if priority is None and deadline is None and tenant is None:
        return options.NONE
    return options.checked(now, priority, deadline, tenant)


def _there(reader: Reader, events: Sequence[AsyncEvent]) -> set[str]:
    params = {"first": events[0].request_id, "last": events[-1].request_id}
    return {row[0] for row in reader.all(sql.IDS_BETWEEN, params)}


def _chunks(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    going = iter(lines)
    while some := list(islice(going, size)):
        yield some
