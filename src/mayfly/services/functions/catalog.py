"""Functions in memory, as invocations need them: resolved once, replaced on every write.

An entry is what a caller can name: a function (its $LATEST), a version or an alias. A write replaces or drops entries
when it is durable, in the order of commits; a load that raced with a write is used for its caller but not kept. So an
entry is never older than what was acknowledged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mayfly.engine.api import Engine
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults, repository, version_repository
from mayfly.services.functions.canary import Canary
from mayfly.services.functions.code.preparing import Preparing
from mayfly.services.functions.engine_targets import FunctionTarget, TargetFactory
from mayfly.services.functions.image_code import ImageSource
from mayfly.services.functions.model import LATEST, Alias, AsyncSettings, Function, FunctionUrl, Subject, Version
from mayfly.services.functions.names import Home
from mayfly.services.functions.variables import Variables
from mayfly.services.functions.version_repository import Found
from mayfly.store.api import Reader, Store, Tx


@dataclass(frozen=True, slots=True)
class Entry:
    """One function, version or alias, ready to be invoked."""

    function: Function
    subject: Subject  # what was named
    qualifier: str | None  # how; None stands for $LATEST too
    target: FunctionTarget
    version: Version | None = None  # that `target` runs; None: $LATEST
    second: FunctionTarget | None = None  # of an alias that shares its calls between two versions
    canary: Canary | None = None

    @property
    def runs(self) -> Function | Version:
        """What was named, or what it leads to."""
        return self.version or self.function

    def pick(self) -> FunctionTarget:
        """What the next call runs on."""
        if self.canary is not None and self.second is not None and self.canary.second():
            return self.second
        return self.target

    @property
    def settings(self) -> AsyncSettings | None:
        """Those of asynchronous invocation."""
        return self.subject.asynchronous

    @property
    def url(self) -> FunctionUrl | None:
        return None if isinstance(self.subject, Version) else self.subject.url


class Catalog:
    """What was invoked lately, by name and qualifier and by URL id. Tells the engine of every change.

    `start_at` gives the place at which an alias's turns begin: any integer, for instance a random one.
    """

    def __init__(
        self,
        store: Store,
        home: Home,
        preparing: Preparing,
        images: ImageSource,
        targets: TargetFactory,
        engine: Engine,
        start_at: Callable[[], int],
        variables: Variables,
    ) -> None:
        self._variables = variables
        self._store = store
        self._home = home
        self._preparing = preparing
        self._images = images
        self._targets = targets
        self._engine = engine
        self._start_at = start_at
        self._entries: dict[str, dict[str | None, Entry]] = {}  # by name and qualifier
        self._by_url: dict[str, Entry] = {}
        self._keys: dict[str, dict[str, str]] = {}  # of the targets that the engine may know, by name and version
        self._writes = 0
        self._on_change: Callable[[str], None] = lambda name: None

    def watch(self, on_change: Callable[[str], None]) -> None:
        """Call `on_change` with a function's name whenever an entry of it is no longer to be relied on."""
        self._on_change = on_change

    async def open(self) -> None:
        """Tell the engine of all reserved concurrency, before the first call."""
        for name, concurrency in (await self._store.read(repository.reservations)).items():
            self._engine.reserve(self._home.arn(name), concurrency)

    def peek(self, name: str, qualifier: str | None = None) -> Entry | None:
        """The entry of what a caller named, if it is in memory."""
        family = self._entries.get(name)
        return family.get(None if qualifier == LATEST else qualifier) if family else None

    async def get(self, name: str, qualifier: str | None = None) -> Entry:
        """The entry of what a caller named; `ServiceError` ResourceNotFoundException."""
        return self.peek(name, qualifier) or await self._load(name, None if qualifier == LATEST else qualifier)

    async def by_url(self, url_id: str) -> Entry | None:
        """What is behind a URL id, or None."""
        if entry := self._by_url.get(url_id):
            return entry
        found = await self._store.read(lambda reader: repository.find_by_url(reader, url_id))
        return await self.get(*found) if found else None

    async def ahead(self, name: str, version: str) -> FunctionTarget:
        """The target of a version for instances that are provisioned; `ServiceError` as for `get`."""
        found, _ = await self._find(name, version)
        return self._build(found.function, found.version, ahead=True)

    async def _find(self, name: str, qualifier: str | None) -> tuple[Found, Version | None]:
        """What is stored, its code unpacked; and the second version where there is one."""

        def body(reader: Reader) -> tuple[Found | None, Version | None]:
            found = version_repository.resolve(reader, name, qualifier)
            alias = found.alias if found else None
            second = version_repository.find_version(reader, name, alias.second) if alias and alias.second else None
            return found, second

        found, second = await self._store.read(body)
        if found is None:
            raise faults.function_not_found(self._home.arn(name, qualifier or LATEST))  # as AWS has it of calls
        found = self._variables.of_found(found)
        second = self._variables.opened(second) if second is not None else None
        for runs in (found.runs, second):
            if runs is not None:
                await self._ensure(runs, found.function.tags)
        return found, second

    async def _ensure(self, runs: Function | Version, tags: Mapping[str, str]) -> None:
        """Have the code where instances find it. An image that is not ready yet is somebody else's care."""
        if runs.code.image is None:
            await self._preparing.ensure(runs.code, runs.configuration, tags)
        elif runs.state == "Active":
            await self._images.ensure(runs.code)

    async def _load(self, name: str, qualifier: str | None) -> Entry:
        writes = self._writes
        found, other = await self._find(name, qualifier)
        target = self._build(found.function, found.version)
        second = self._build(found.function, other) if other else None
        canary = Canary(found.alias.weight, self._start_at()) if found.alias and second else None
        entry = Entry(found.function, found.subject, qualifier, target, found.version, second, canary)
        # One that is pending is looked up each time: nobody may see it active, call it, and hear that it is pending.
        if writes == self._writes and all(one.state == "Active" for one in (target, second) if one is not None):
            self._put(entry)
        return entry

    def _build(self, function: Function, version: Version | None, *, ahead: bool = False) -> FunctionTarget:
        target = self._targets.build(function, version, ahead=ahead)
        keys = self._keys.setdefault(function.name, {})
        if keys.get(target.version, target.key) != target.key:
            self._engine.retire(keys[target.version])
        keys[target.version] = target.key
        return target

    # Writes.

    def written(self, tx: Tx, function: Function) -> None:
        """Take over `function` once the transaction is durable."""
        opened = self._variables.opened(function)
        tx.after_commit(lambda: self._replace(opened))

    def changed(self, tx: Tx, subject: Version | Alias) -> None:
        """A version or an alias is another one, or gone, once the transaction is durable."""
        tx.after_commit(lambda: self._forget(subject))

    def unpublished(self, tx: Tx, version: Version) -> None:
        """A version is gone once the transaction is durable."""
        tx.after_commit(lambda: self._retire(version.function_name, version.label))
        self.changed(tx, version)

    def deleted(self, tx: Tx, name: str) -> None:
        """Forget a function and its versions and aliases once the transaction is durable."""
        tx.after_commit(lambda: self._drop(name))

    async def renew(self, name: str) -> None:
        """A function runs on something else from now on, although nobody wrote it."""
        while True:
            writes = self._writes
            function = await self._store.read(lambda reader: repository.find(reader, name))
            if writes == self._writes:
                break
        if function is not None:
            self._replace(function)

    def _replace(self, function: Function) -> None:
        """Of entries, only that of $LATEST is made again, if it was in memory: the next call pays for the others."""
        self._changed(function.name)
        self._engine.reserve(self._home.arn(function.name), function.reserved_concurrency)
        family = self._remove(function.name)
        key = self._targets.key(function)
        if self._keys.get(function.name, {}).get(LATEST, key) != key:
            self._retire(function.name, LATEST)
        if None not in family or function.state != "Active":
            return
        try:
            self._put(Entry(function, function, None, self._build(function, None)))
        except ServiceError:  # its runtime is no longer here; whoever calls it next is told
            self._retire(function.name, LATEST)

    def _forget(self, subject: Version | Alias) -> None:
        """Aliases lead to versions, so a version takes them with it."""
        self._changed(subject.function_name)
        if isinstance(subject, Version) and (key := self._keys.get(subject.function_name, {}).get(subject.label)):
            self._engine.bound(key, subject.scaling.most if subject.scaling is not None else None)
        family = self._entries.get(subject.function_name, {})
        for qualifier, entry in list(family.items()):
            if qualifier is not None and (isinstance(subject, Version) or qualifier == subject.name):
                self._remove_entry(family, entry)

    def _drop(self, name: str) -> None:
        self._changed(name)
        self._engine.reserve(self._home.arn(name), None)
        self._remove(name)
        for version in list(self._keys.get(name, ())):
            self._retire(name, version)
        self._keys.pop(name, None)

    def forget_all(self) -> None:
        """What all functions run on may be different from now on."""
        for name in list(self._entries):
            self._changed(name)
            self._remove(name)

    def _changed(self, name: str) -> None:
        self._writes += 1
        self._on_change(name)

    def _retire(self, name: str, version: str) -> None:
        if key := self._keys.get(name, {}).pop(version, None):
            self._engine.retire(key)

    def _put(self, entry: Entry) -> None:
        self._entries.setdefault(entry.function.name, {})[entry.qualifier] = entry
        if entry.url:
            self._by_url[entry.url.url_id] = entry

    def _remove(self, name: str) -> dict[str | None, Entry]:
        """All entries of a function; what they were."""
        family = self._entries.pop(name, {})
        for entry in list(family.values()):
            if entry.url:
                self._by_url.pop(entry.url.url_id, None)
        return family

    def _remove_entry(self, family: dict[str | None, Entry], entry: Entry) -> None:
        del family[entry.qualifier]
        if entry.url:
            self._by_url.pop(entry.url.url_id, None)
