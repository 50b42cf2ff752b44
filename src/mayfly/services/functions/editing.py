"""The one way in which a stored function changes: read, check the revision, change, write, tell the catalog."""

from collections.abc import Callable

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults, repository
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.model import Function
from mayfly.services.functions.names import Home
from mayfly.settings import FunctionLimits
from mayfly.store.api import Blobs, Reader, Store, Tx

Change = Callable[[Function, Tx], Function]


def blob_owner(name: str) -> str:
    """Who needs a function's package, as the blobs know it."""
    return f"function:{name}"


class Editor:
    """Reads and changes functions. Changes are durable, and in force, when a method returns."""

    def __init__(
        self, store: Store, blobs: Blobs, catalog: Catalog, home: Home, limits: FunctionLimits, clock: Clock
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._catalog = catalog
        self._home = home
        self._limits = limits
        self._clock = clock

    async def find(self, name: str, missing: ServiceError | None = None) -> Function:
        """The function; `missing`, by default ResourceNotFoundException, when there is none."""
        function = await self._store.read(lambda reader: repository.find(reader, name))
        return self._there(function, name, missing)

    async def create(self, function: Function) -> Function:
        """Add a function; `ServiceError` ResourceConflictException when its name is taken."""

        def body(tx: Tx) -> None:
            if not repository.insert(tx, function):
                raise faults.conflict(f"Function already exist: {function.name}")
            self._check_storage(tx)
            self._blobs.link(tx, function.code.sha256, blob_owner(function.name))
            self._catalog.written(tx, function)

        await self._store.write(body)
        return function

    async def change(
        self,
        name: str,
        change: Change,
        *,
        revision: str | None = None,
        revision_call: str = "GetFunction/GetAlias",
        missing: ServiceError | None = None,
    ) -> Function:
        """Replace a function by what `change` makes of it.

        `change` runs inside the transaction, may run again, and may raise. `revision` is the RevisionId that the
        caller expects; None means any. What instances depend on gets a new `deployment_id` here.
        """
        revision_id, deployment_id, now = ids.request_id(), ids.token(16), self._clock.now()

        def body(tx: Tx) -> Function:
            old = self._there(repository.find(tx, name), name, missing)
            if revision is not None and revision != old.revision_id:
                raise faults.stale_revision(revision_call)
            new = msgspec.structs.replace(change(old, tx), revision_id=revision_id)
            if (new.code, new.configuration) != (old.code, old.configuration):
                new = msgspec.structs.replace(new, modified_at=now, deployment_id=deployment_id)
            elif new.reserved_concurrency != old.reserved_concurrency:
                new = msgspec.structs.replace(new, deployment_id=deployment_id)
            if new.code.sha256 != old.code.sha256:
                self._blobs.link(tx, new.code.sha256, blob_owner(name))
                self._blobs.unlink(tx, old.code.sha256, blob_owner(name))
            repository.update(tx, new)
            if new.code.size > old.code.size:
                self._check_storage(tx)
            self._catalog.written(tx, new)
            return new

        return await self._store.write(body)

    async def delete(self, name: str) -> None:
        """Remove a function and all that hangs on it."""

        def body(tx: Tx) -> None:
            old = self._there(repository.find(tx, name), name, None)
            self._blobs.unlink(tx, old.code.sha256, blob_owner(name))
            repository.delete(tx, name)
            self._catalog.deleted(tx, name)

        await self._store.write(body)

    async def page(self, after: str, limit: int) -> tuple[list[Function], str | None]:
        """Up to `limit` functions after `after`, and where the next page starts (None: there is none)."""

        def body(reader: Reader) -> list[Function]:
            return repository.page(reader, after, limit + 1)

        found = await self._store.read(body)
        return found[:limit], found[limit - 1].name if len(found) > limit else None

    def _check_storage(self, tx: Tx) -> None:
        """`ServiceError` when the packages, with what this transaction has written, are more than may be kept."""
        _, stored = repository.usage(tx)
        if stored > self._limits.code_storage_bytes:
            raise faults.code_storage_exceeded()

    def _there(self, function: Function | None, name: str, missing: ServiceError | None) -> Function:
        if function is None:
            raise missing or faults.function_not_found(self._home.arn(name))
        return function
