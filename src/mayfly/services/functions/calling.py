"""What those who take calls need: functions by name, somebody to run them, somebody to accept events.

Each has two implementations: in the process that keeps the state, and in a front process that asks that one.
"""

from typing import Protocol

from mayfly.services.functions.asked import Asked
from mayfly.services.functions.catalog import Entry
from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.invoker import Flow, Invocation


class Entries(Protocol):
    """See `catalog.Catalog`."""

    def peek(self, name: str, qualifier: str | None = None) -> Entry | None: ...

    async def get(self, name: str, qualifier: str | None = None) -> Entry: ...

    async def by_url(self, url_id: str) -> Entry | None: ...


class Calls(Protocol):
    """See `invoker.Invoker`."""

    async def invoke(self, entry: Entry, asked: Asked) -> Invocation: ...

    def trace_of(self, entry: Entry, header: str | None) -> str: ...


class Streams(Protocol):
    """See `invoker.Invoker.stream`."""

    async def stream(self, entry: Entry, asked: Asked, *, tunnel: bool = False) -> Flow: ...


class Intake(Protocol):
    """See `asynchronous.EventIntake`."""

    def now(self) -> float: ...

    async def accept(self, event: AsyncEvent) -> None: ...
