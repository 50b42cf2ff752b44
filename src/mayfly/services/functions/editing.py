"""The one way in which what is stored changes: read, check the revision, change, write, tell the catalog.

Functions change here, and what hangs on versions and aliases. `publishing` makes and removes versions.
"""

from collections.abc import Callable

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults, repository, state_events, version_repository
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.layers import uses
from mayfly.services.functions.model import Code, Function, Subject, Version
from mayfly.services.functions.names import Home, Reference
from mayfly.services.functions.publishing import Publisher, Publishing, blob_owner
from mayfly.services.functions.signing import repository as signing
from mayfly.services.functions.variables import Variables
from mayfly.services.functions.version_repository import Found
from mayfly.services.ports import UNHEARD, PlatformEvents
from mayfly.settings import FunctionLimits
from mayfly.store.api import Blobs, Reader, Store, Tx

Change = Callable[[Function, Tx], Function]
SubjectChange = Callable[[Subject, Tx], Subject]


def _next(function: Function) -> Function:
    """As it will be once the image that it waits for is ready; what is published is never less."""
    return msgspec.structs.replace(function, code=function.awaited) if function.awaited is not None else function


class Editor:
    """Reads and changes functions. Changes are durable, and in force, when a method returns."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        catalog: Catalog,
        publisher: Publisher,
        home: Home,
        limits: FunctionLimits,
        clock: Clock,
        variables: Variables,
        events: PlatformEvents = UNHEARD,
    ) -> None:
        self._variables = variables
        self._events = events
        self._store = store
        self._forgetting: list[Callable[[Tx, str], None]] = []
        self._blobs = blobs
        self._catalog = catalog
        self._publisher = publisher
        self._home = home
        self._limits = limits
        self._clock = clock

    async def find(self, name: str, missing: ServiceError | None = None) -> Function:
        """The function; `missing`, by default ResourceNotFoundException, when there is none."""
        function = await self._store.read(lambda reader: repository.find(reader, name))
        return self._variables.opened(self._there(function, name, missing))

    async def resolve(self, reference: Reference, missing: ServiceError | None = None) -> Found:
        """What `reference` leads to; `missing`, by default ResourceNotFoundException, when it is not there."""
        found = await self._store.read(
            lambda reader: version_repository.resolve(reader, reference.name, reference.qualifier)
        )
        if found is None:
            raise missing or faults.function_not_found(self._home.arn(reference.name, reference.qualifier))
        return self._variables.of_found(found)

    async def create(
        self, function: Function, publish: Publishing | None = None, beside: Callable[[Tx], None] | None = None
    ) -> Version | None:
        """Add a function, and publish it where that is asked for; the version. What `beside` writes is written too, or
        nothing is.

        `ServiceError` ResourceConflictException when its name is taken.
        """

        def body(tx: Tx) -> Version | None:
            if not repository.insert(tx, self._variables.sealed(function)):
                raise faults.conflict(f"Function already exist: {function.name}")
            self._link(tx, function.code, function.name)
            uses.put(tx, self._blobs, function.name, function.configuration.layers)
            if beside is not None:
                beside(tx)
            version = self._publisher.publish(tx, function, publish) if publish else None
            self._check_storage(tx)
            self._catalog.written(tx, function)
            self._tell(tx, None, function)
            return version

        return await self._store.write(body)

    async def change(
        self,
        name: str,
        change: Change,
        *,
        revision: str | None = None,
        revision_call: str = "GetFunction/GetAlias",
        missing: ServiceError | None = None,
    ) -> Function:
        """Replace a function by what `change` makes of it."""
        function, _ = await self.change_and_publish(
            name, change, None, revision=revision, revision_call=revision_call, missing=missing
        )
        return function

    async def change_and_publish(
        self,
        name: str,
        change: Change,
        publish: Publishing | None,
        *,
        revision: str | None = None,
        revision_call: str = "GetFunction/GetAlias",
        missing: ServiceError | None = None,
    ) -> tuple[Function, Version | None]:
        """Replace a function by what `change` makes of it, and publish that where it is asked for.

        `change` runs inside the transaction, may run again, and may raise. `revision` is the RevisionId that the
        caller expects; None means any. What instances depend on gets a new `deployment_id` here.
        """
        revision_id, deployment_id, now = ids.request_id(), ids.token(16), self._clock.now()

        def body(tx: Tx) -> tuple[Function, Version | None]:
            old = self._variables.opened(self._there(repository.find(tx, name), name, missing))
            if revision is not None and revision != old.revision_id:
                raise faults.stale_revision(revision_call)
            new = msgspec.structs.replace(change(old, tx), revision_id=revision_id)
            if (new.code, new.configuration) != (old.code, old.configuration):
                new = msgspec.structs.replace(new, modified_at=now, deployment_id=deployment_id)
            elif new.reserved_concurrency != old.reserved_concurrency:
                new = msgspec.structs.replace(new, deployment_id=deployment_id)
            if new.code.sha256 != old.code.sha256:
                self._link(tx, new.code, name)
                self._blobs.unlink(tx, old.code.sha256, blob_owner(name))
            if new.configuration.layers != old.configuration.layers:
                uses.put(tx, self._blobs, name, new.configuration.layers)
            repository.update(tx, self._variables.sealed(new))
            version = self._publisher.publish(tx, _next(new), publish) if publish else None
            if version is not None or new.code.size > old.code.size:
                self._check_storage(tx)
            self._catalog.written(tx, new)
            self._tell(tx, old, new)
            return new, version

        return await self._store.write(body)

    async def change_subject(
        self,
        reference: Reference,
        change: SubjectChange,
        *,
        revision: str | None = None,
        revision_call: str = "GetFunction/GetAlias",
        missing: ServiceError | None = None,
    ) -> Subject:
        """Replace what hangs on a function, a version or an alias. `change` returns what it was given, changed.

        What is missing is refused with `missing`, by default ResourceNotFoundException.
        """
        revision_id = ids.request_id()

        def body(tx: Tx) -> Subject:
            found = version_repository.resolve(tx, reference.name, reference.qualifier)
            if found is None:
                raise missing or self._home.no_such(reference)
            old = found.subject
            if revision is not None and revision != old.revision_id:
                raise faults.stale_revision(revision_call)
            new = msgspec.structs.replace(change(old, tx), revision_id=revision_id)
            if isinstance(new, Function):
                repository.update(tx, self._variables.sealed(new))
                self._catalog.written(tx, new)
            elif isinstance(new, Version):
                version_repository.update_version(tx, self._variables.sealed(new))
                self._catalog.changed(tx, new)
            else:
                version_repository.update_alias(tx, new)
                self._catalog.changed(tx, new)
            return new

        return await self._store.write(body)

    def when_deleted(self, forget: Callable[[Tx, str], None]) -> None:
        """Have `forget` called in the transaction that removes a function, with its name."""
        self._forgetting.append(forget)

    async def delete(self, name: str) -> None:
        """Remove a function and all that hangs on it."""

        def body(tx: Tx) -> None:
            old = self._there(repository.find(tx, name), name, None)
            self._blobs.unlink(tx, old.code.sha256, blob_owner(name))
            for label, sha256 in version_repository.packages(tx, name).items():
                self._blobs.unlink(tx, sha256, blob_owner(name, label))
            uses.forget(tx, self._blobs, name)
            signing.unbind(tx, name)
            version_repository.delete_all(tx, name)
            repository.delete(tx, name)
            self._publisher.forget(tx, name)
            for forget in self._forgetting:
                forget(tx, name)
            self._catalog.deleted(tx, name)
            self._tell(tx, old, None)

        await self._store.write(body)

    async def page(self, after: str, limit: int) -> tuple[list[Function], str | None]:
        """Up to `limit` functions after `after`, and where the next page starts (None: there is none)."""

        def body(reader: Reader) -> list[Function]:
            return repository.page(reader, after, limit + 1)

        found = await self._store.read(body)
        shown = [self._variables.opened(function) for function in found[:limit]]
        return shown, found[limit - 1].name if len(found) > limit else None

    async def page_of_versions(self, name: str, number: int, limit: int) -> tuple[list[Function | Version], str | None]:
        """The same over every version of every function, $LATEST (as number 0) first."""
        found = await self._store.read(lambda reader: version_repository.everything(reader, name, number, limit + 1))
        shown = [self._variables.opened(each) for each in found[:limit]]
        if len(found) <= limit:
            return shown, None
        last = found[limit - 1]
        marker = f"{last.function_name}:{last.number}" if isinstance(last, Version) else f"{last.name}:0"
        return shown, marker

    def _link(self, tx: Tx, code: Code, name: str) -> None:
        """Keep the package of a function; images are kept by who unpacks them."""
        if code.image is None:
            self._blobs.link(tx, code.sha256, blob_owner(name))

    def _check_storage(self, tx: Tx) -> None:
        """`ServiceError` when the packages, with what this transaction has written, are more than may be kept."""
        _, stored = repository.usage(tx)
        if stored > self._limits.code_storage_bytes:
            raise faults.code_storage_exceeded()

    def _tell(self, tx: Tx, old: Function | None, new: Function | None) -> None:
        """Let the event bus know what has become of a function."""
        function = new or old
        assert function is not None
        arn = self._home.arn(function.name)
        if told := state_events.told(old, new, arn):
            self._events.emit(tx, state_events.SOURCE, told.detail_type, told.detail, (arn,))

    def _there(self, function: Function | None, name: str, missing: ServiceError | None) -> Function:
        if function is None:
            raise missing or faults.function_not_found(self._home.arn(name))
        return function
