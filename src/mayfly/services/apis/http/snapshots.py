"""The APIs that are in memory in the form in which they answer. Filled when one is asked for, emptied by changes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from mayfly.services.apis.http import catalog, deploying
from mayfly.services.apis.http.model import Content
from mayfly.store.api import Reader, Store

T = TypeVar("T")

MOST = 1000  # APIs in memory; all are forgotten beyond that


class Snapshots(Generic[T]):
    """One process writes APIs and answers them, so nothing here is ever stale."""

    def __init__(self, store: Store, compiled: Callable[[Content, Mapping[str, Content | None]], T]) -> None:
        """`compiled` makes an API of its content and of what its stages serve."""
        self._store = store
        self._compiled = compiled
        self._known: dict[str, T] = {}
        self._changes: Counter[str] = Counter()
        self._reading: dict[str, asyncio.Lock] = {}

    def peek(self, api_id: str) -> T | None:
        """The API, if it is in memory."""
        return self._known.get(api_id)

    async def get(self, api_id: str) -> T | None:
        """The API; None: there is none."""
        if (ready := self._known.get(api_id)) is not None:
            return ready
        async with self._reading.setdefault(api_id, asyncio.Lock()):
            found = self._known.get(api_id)
            while found is None:
                before = self._changes[api_id]
                read = await self._store.read(lambda reader: _read(reader, api_id))
                if read is None:
                    self._reading.pop(api_id, None)
                    return None
                found = self._compiled(*read)
                if self._changes[api_id] != before:
                    found = None  # it has changed meanwhile
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[api_id] = found
            return found

    def forget(self, api_id: str) -> None:
        """The API has changed, or is gone."""
        self._changes[api_id] += 1
        self._known.pop(api_id, None)


def _read(reader: Reader, api_id: str) -> tuple[Content, dict[str, Content | None]] | None:
    content = catalog.content(reader, api_id)
    if content is None:
        return None
    return content, {stage.id: deploying.served(reader, content, stage) for stage in content.of("stage")}
