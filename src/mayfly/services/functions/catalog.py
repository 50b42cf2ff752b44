"""Functions in memory, as invocations need them: resolved once, replaced on every write.

A write replaces the entry when it is durable, in the order of commits; a load that raced with a write is used for its
caller but not kept. So an entry is never older than what was acknowledged.
"""

from dataclasses import dataclass

from mayfly.engine.api import Engine
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults, repository
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.engine_targets import FunctionTarget, TargetFactory
from mayfly.services.functions.model import Function
from mayfly.services.functions.names import Home
from mayfly.store.api import Store, Tx


@dataclass(frozen=True, slots=True)
class Entry:
    """One function, ready to be invoked."""

    function: Function
    target: FunctionTarget


class Catalog:
    """The functions that were invoked lately, by name and by URL id. Tells the engine of every change."""

    def __init__(self, store: Store, home: Home, library: CodeLibrary, targets: TargetFactory, engine: Engine) -> None:
        self._store = store
        self._home = home
        self._library = library
        self._targets = targets
        self._engine = engine
        self._entries: dict[str, Entry] = {}
        self._by_url: dict[str, str] = {}
        self._writes = 0

    async def open(self) -> None:
        """Tell the engine of all reserved concurrency, before the first call."""
        for name, concurrency in (await self._store.read(repository.reservations)).items():
            self._engine.reserve(self._home.arn(name), concurrency)

    def peek(self, name: str) -> Entry | None:
        """The entry of a function, if it is in memory."""
        return self._entries.get(name)

    async def get(self, name: str) -> Entry:
        """The entry of a function; `ServiceError` ResourceNotFoundException."""
        if entry := self._entries.get(name):
            return entry
        return await self._load(name)

    async def by_url(self, url_id: str) -> Entry | None:
        """The function behind a URL id, or None."""
        if name := self._by_url.get(url_id):
            return self._entries[name]
        found = await self._store.read(lambda reader: repository.find_by_url(reader, url_id))
        return await self.get(found.name) if found else None

    async def _load(self, name: str) -> Entry:
        writes = self._writes
        function = await self._store.read(lambda reader: repository.find(reader, name))
        if function is None:
            raise faults.function_not_found(self._home.arn(name))
        await self._library.ensure(function.code)
        entry = Entry(function, self._targets.build(function))
        if writes == self._writes:
            self._put(entry)
        return entry

    def written(self, tx: Tx, function: Function) -> None:
        """Take over `function` once the transaction is durable."""
        tx.after_commit(lambda: self._replace(function))

    def deleted(self, tx: Tx, name: str) -> None:
        """Forget a function once the transaction is durable."""
        tx.after_commit(lambda: self._drop(name))

    def _replace(self, function: Function) -> None:
        """Of entries, only what was in memory is replaced: a function that nobody invokes costs nothing."""
        self._writes += 1
        self._engine.reserve(self._home.arn(function.name), function.reserved_concurrency)
        old = self._remove(function.name)
        if old is None:
            return
        try:
            entry = Entry(function, self._targets.build(function))
        except ServiceError:  # its runtime is no longer here; whoever calls it next is told
            self._engine.retire(old.target.key)
            return
        self._put(entry)
        if entry.target.key != old.target.key:
            self._engine.retire(old.target.key)

    def _drop(self, name: str) -> None:
        self._writes += 1
        self._engine.reserve(self._home.arn(name), None)
        if old := self._remove(name):
            self._engine.retire(old.target.key)

    def _put(self, entry: Entry) -> None:
        self._entries[entry.function.name] = entry
        if entry.function.url:
            self._by_url[entry.function.url.url_id] = entry.function.name

    def _remove(self, name: str) -> Entry | None:
        entry = self._entries.pop(name, None)
        if entry and entry.function.url:
            self._by_url.pop(entry.function.url.url_id, None)
        return entry
