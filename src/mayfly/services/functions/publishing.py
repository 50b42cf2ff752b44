"""Publishing: from $LATEST to an immutable version, and what follows it.

Nothing is published when code and configuration are those of the version that was published last. A version whose
instances are to start from after init (SnapStart) is pending until the engine has made what they start from, or said
that it cannot; only a version whose init fails has failed. Pending versions of a server that died are taken up by the
next one.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.engine.api import Engine, Failure, Prepared
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults, repository, version_repository
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.describe import code_sha256
from mayfly.services.functions.image_code import ImageSource, Refusal, ready_or_refused
from mayfly.services.functions.layers import uses
from mayfly.services.functions.model import Code, Function, Version
from mayfly.services.functions.names import Home, Reference
from mayfly.services.functions.provisioning import Provisioner
from mayfly.services.functions.variables import Variables
from mayfly.store.api import Blobs, Store, StoreClosedError, Tx

CREATING = "The function is being created."
_PAUSE_S = 1.0
_AT_ONCE = 4  # an init may take minutes, and others need not wait for it

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publishing:
    """What a version is to be: None, the description of $LATEST, and whatever package $LATEST has."""

    description: str | None = None
    code_sha256: str | None = None  # base64, as shown


def unchanged(function: Function, version: Version) -> bool:
    """Whether publishing `function` would give `version` again, descriptions of versions aside."""
    configuration = msgspec.structs.replace(version.configuration, description=version.source_description)
    return function.code.same(version.code) and function.configuration == configuration


def ready(code: Code) -> bool:
    """Whether instances can be started from it: packages always, images once they are unpacked."""
    return code.image is None or code.image.process is not None


def blob_owner(name: str, version: str | None = None) -> str:
    """Who needs a package, as the blobs know it: a function, or one of its versions."""
    return f"function:{name}:{version}" if version else f"function:{name}"


def outcome(version: Version, prepared: Prepared) -> Version:
    """The version once the engine has prepared it, or not."""
    if prepared.failure is not None:
        return msgspec.structs.replace(
            version, state="Failed", state_reason=_reason(prepared.failure), state_reason_code=_code(prepared.failure)
        )
    return msgspec.structs.replace(
        version,
        state="Active",
        state_reason=None,
        state_reason_code=None,
        optimized=prepared.optimized,
        unoptimized_because=None if prepared.optimized else prepared.reason,
    )


def _code(failure: Failure) -> str:
    return {
        "init-timeout": "FunctionError.InitTimeout",
        "timeout": "FunctionError.InitTimeout",
        "out-of-memory": "FunctionError.InitResourceExhausted",
    }.get(failure.kind, "FunctionError.RuntimeInitError")


def _reason(failure: Failure) -> str:
    """What the runtime said of a failed init, else how it ended."""
    if failure.payload:
        return f"The function failed to initialize: {failure.payload.decode(errors='replace')[:1000]}"
    return f"The function failed to initialize: {failure.kind}"


def check_settled(function: Function, home: Home) -> None:
    """`ServiceError` while an image is made ready for the function: nothing else of it may change then."""
    if function.state == "Pending":
        raise faults.wrong_state(function.state)
    if function.awaited is not None:
        raise faults.update_in_progress(home.arn(function.name))


class Publisher:
    """Makes and removes versions, within the caller's transactions; sees pending ones to their end: `run`."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        catalog: Catalog,
        engine: Engine,
        provisioner: Provisioner,
        home: Home,
        clock: Clock,
        images: ImageSource,
        variables: Variables,
    ) -> None:
        self._variables = variables
        self._store = store
        self._blobs = blobs
        self._catalog = catalog
        self._engine = engine
        self._provisioner = provisioner
        self._home = home
        self._clock = clock
        self._images = images
        self._pending: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def publish(self, tx: Tx, function: Function, wanted: Publishing) -> Version:
        """The version of `function` as it is: a new one, or the last one if nothing has changed since."""
        current = code_sha256(function.code)
        if wanted.code_sha256 not in (None, current):
            raise faults.invalid_parameter(
                f"CodeSHA256 ({wanted.code_sha256}) is different from current CodeSHA256 in $LATEST ({current}). "
                "Please try again with the CodeSHA256 in $LATEST."
            )
        number = version_repository.last_number(tx, function.name)
        function = self._variables.opened(function)
        last = version_repository.find_version(tx, function.name, str(number))
        last = self._variables.opened(last) if last is not None else None
        if last is not None and unchanged(function, last):
            return last
        version = self._version(function, number + 1, wanted.description)
        version_repository.insert_version(tx, self._variables.sealed(version))
        if version.code.image is None:
            self._blobs.link(tx, version.code.sha256, blob_owner(function.name, version.label))
        uses.put(tx, self._blobs, function.name, version.configuration.layers, version.label)
        if version.state == "Pending":
            tx.after_commit(lambda: self._pending.put_nowait((version.function_name, version.label)))
        return version

    def _version(self, function: Function, number: int, description: str | None) -> Version:
        source = function.configuration
        own = source if description is None else msgspec.structs.replace(source, description=description)
        version = Version(
            function_name=function.name,
            number=number,
            configuration=own,
            code=function.code,
            revision_id=ids.request_id(),
            deployment_id=ids.token(16),
            published_at=self._clock.now(),
            source_description=source.description,
            runtime_updates=function.runtime_updates,
        )
        if not source.snap_start and ready(function.code):
            return version
        return msgspec.structs.replace(version, state="Pending", state_reason=CREATING, state_reason_code="Creating")

    async def publish_latest(self, name: str, wanted: Publishing, revision: str | None, most_bytes: int) -> Version:
        """Publish a function; `ServiceError`."""

        def body(tx: Tx) -> Version:
            function = repository.find(tx, name)
            if function is None:
                raise faults.function_not_found(self._home.arn(name))
            if revision not in (None, function.revision_id):
                raise faults.stale_revision("GetFunction/GetAlias")
            check_settled(function, self._home)
            version = self.publish(tx, function, wanted)
            if repository.usage(tx)[1] > most_bytes:
                raise faults.code_storage_exceeded()
            return version

        return await self._store.write(body)

    async def unpublish(self, reference: Reference) -> None:
        """Remove a version; one that is not there is as good as removed. `ServiceError` while an alias needs it."""

        def body(tx: Tx) -> None:
            if repository.find(tx, reference.name) is None:
                raise faults.function_not_found(self._home.arn(reference.name))
            version = version_repository.find_version(tx, reference.name, reference.qualifier or "")
            if version is None:
                return
            if aliases := version_repository.aliases(tx, reference.name, version=version.label):
                names = ", ".join(alias.name for alias in aliases)
                raise faults.conflict(f"Unable to delete version because the following aliases reference it: [{names}]")
            self._blobs.unlink(tx, version.code.sha256, blob_owner(reference.name, version.label))
            uses.put(tx, self._blobs, reference.name, (), version.label)
            version_repository.delete_version(tx, version)
            self._catalog.unpublished(tx, version)
            self._provisioner.touch(tx, reference.name)

        await self._store.write(body)

    def forget(self, tx: Tx, name: str) -> None:
        """A function goes, with all of its versions."""
        self._provisioner.touch(tx, name)

    # Pending versions.

    async def _prepare_image(self, version: Version) -> None:
        found = await ready_or_refused(self._images, version.code)

        def settled(version: Version) -> Version:
            if isinstance(found, Refusal):
                return msgspec.structs.replace(
                    version, state="Failed", state_reason=found.reason, state_reason_code=found.code
                )
            return msgspec.structs.replace(
                version, code=found, state="Active", state_reason=None, state_reason_code=None
            )

        await self._settle(version.function_name, version.label, settled)

    async def _settle(self, name: str, label: str, settled: Callable[[Version], Version]) -> None:
        """Write what became of a pending version."""

        def body(tx: Tx) -> None:
            version = version_repository.find_version(tx, name, label)
            if version is not None and version.state == "Pending":
                done = settled(version)
                version_repository.update_version(tx, done)
                self._catalog.changed(tx, done)

        await self._store.write(body)

    async def run(self) -> None:
        """See pending versions to their end, a few at a time, as long as the service lives."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(_AT_ONCE):
                workers.create_task(self._work())
            for found in await self._store.read(version_repository.pending):
                self._pending.put_nowait(found)

    async def _work(self) -> None:
        """The boundary around the preparation of one version after the other: each is tried until it is settled."""
        while True:
            name, label = await self._pending.get()
            try:
                await self._prepare(name, label)
            except StoreClosedError:
                return
            except Exception:
                _log.exception("version %s of %s cannot be prepared now; the next attempt follows", label, name)
                await asyncio.sleep(_PAUSE_S)
                self._pending.put_nowait((name, label))

    async def _prepare(self, name: str, label: str) -> None:
        version = await self._store.read(lambda reader: version_repository.find_version(reader, name, label))
        if version is None or version.state != "Pending":
            return
        if not ready(version.code):
            await self._prepare_image(version)
            return
        try:
            entry = await self._catalog.get(name, label)
            prepared = await self._engine.prepare(entry.target)
        except ServiceError as error:  # it is gone, or its runtime is
            prepared = Prepared(optimized=False, reason=error.message)
        await self._settle(name, label, lambda version: outcome(version, prepared))
        if prepared.failure is not None:
            _log.info("version %s of %s failed to initialize", label, name)
        elif not prepared.optimized:
            _log.info("version %s of %s starts without SnapStart: %s", label, name, prepared.reason)
