"""Instances that are kept ready: tells the engine what provisioned concurrency and scaling configurations ask for.

A write touches a function; once it is durable, the function's settings are read again and the difference is told to the
engine. So a server that starts has nothing to restore but to touch every function that has such settings. What an alias
asks for goes to the version that it points to, or is parted between the two that it shares its calls between.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from mayfly.engine.api import Engine
from mayfly.services.contract import ServiceError
from mayfly.services.functions import canary, version_repository
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.engine_targets import FunctionTarget
from mayfly.services.functions.model import Alias, Function, Version
from mayfly.store.api import Reader, Store, StoreClosedError, Tx

Status = Literal["IN_PROGRESS", "READY", "FAILED"]

INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"
_PLATFORM_REASONS = ("failed to start", "no memory", "no more than", "the engine")
_PAUSE_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Allocation:
    """How far an allocation has come."""

    allocated: int
    status: Status
    reason: str | None = None


def parts(subject: Version | Alias) -> dict[str, int]:
    """How many instances of which version a setting asks for."""
    if subject.provisioned is None:
        return {}
    wanted = subject.provisioned.instances
    if isinstance(subject, Version):
        return {subject.label: wanted}
    if subject.second is None:
        return {subject.version: wanted}
    first, second = canary.shared(wanted, subject.weight)
    return {version: number for version, number in ((subject.version, first), (subject.second, second)) if number}


def least(version: Version) -> dict[str, int]:
    """How many instances of it its scaling configuration asks for."""
    wanted = version.scaling.least if version.scaling is not None else None
    return {version.label: wanted} if wanted else {}


def why(reason: str) -> str:
    """The engine's reason as a StatusReason: AWS's own where the function's init is to blame."""
    return reason if reason.startswith(_PLATFORM_REASONS) else INIT_FAILURE


class Provisioner:
    """`run`, as a task of the service."""

    def __init__(self, store: Store, catalog: Catalog, engine: Engine) -> None:
        self._store = store
        self._catalog = catalog
        self._engine = engine
        self._touched: dict[str, None] = {}  # in order
        self._anew: set[str] = set()  # of these, those whose instances have to be others
        self._wake = asyncio.Event()
        self._told: dict[str, dict[str, tuple[FunctionTarget, int]]] = {}  # by function and version
        self._failed: dict[tuple[str, str], str] = {}  # versions of which no target could be made

    def touch(self, tx: Tx, name: str, *, anew: bool = False) -> None:
        """The settings of a function are others once the transaction is durable; `anew`: so is what its instances run
        on."""
        tx.after_commit(lambda: self._touch(name, anew=anew))

    def renew(self) -> None:
        """What all instances run on may be different from now on."""
        for name in self._told:
            self._touch(name, anew=True)

    def _touch(self, name: str, *, anew: bool = False) -> None:
        self._touched[name] = None
        if anew:
            self._anew.add(name)
        self._wake.set()

    def allocation(self, subject: Version | Alias) -> Allocation:
        """How far what `subject` asks for has come."""
        return self._allocation(subject.function_name, parts(subject))

    async def use(self, function: str, qualifier: str) -> tuple[int, int] | None:
        """See `ports.ProvisionedUse`."""
        subject = await self._store.read(lambda reader: version_repository.resolve(reader, function, qualifier))
        if subject is None or isinstance(subject.subject, Function) or subject.subject.provisioned is None:
            return None
        peak = there = 0
        for version in parts(subject.subject):
            if told := self._told.get(function, {}).get(version):
                view = self._engine.provisioned(told[0].key)
                there += view.available if view is not None else 0
                peak += self._engine.peak(told[0].key)
        return min(peak, there), there

    def kept(self, version: Version) -> Allocation:
        """How far what its scaling configuration asks for has come."""
        return self._allocation(version.function_name, least(version))

    def _allocation(self, name: str, asked: dict[str, int]) -> Allocation:
        allocated, reasons, complete = 0, [], name not in self._touched
        for version, wanted in asked.items():
            if reason := self._failed.get((name, version)):
                reasons.append(reason)
            told = self._told.get(name, {}).get(version)
            view = self._engine.provisioned(told[0].key) if told else None
            if view is None:
                complete = False
                continue
            allocated += min(wanted, view.available)
            complete = complete and view.available >= wanted
            if view.failure is not None and view.available < wanted:
                reasons.append(why(view.failure))
        if reasons:
            return Allocation(allocated, "FAILED", reasons[0])
        return Allocation(allocated, "READY" if complete else "IN_PROGRESS")

    async def run(self) -> None:
        """Tell the engine of every change, as long as the service lives."""
        for name in await self._store.read(version_repository.functions_with_kept):
            self._touch(name)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._touched:
                name = next(iter(self._touched))
                try:
                    await self._tell(name)
                except StoreClosedError:
                    return
                except Exception:  # the boundary around one function: whatever goes wrong, it is tried again
                    _log.exception("the instances of %s cannot be provisioned now; the next attempt follows", name)
                    self._touch(name)
                    await asyncio.sleep(_PAUSE_S)

    async def _tell(self, name: str) -> None:
        """Tell the engine what has changed of one function."""
        del self._touched[name]
        anew = name in self._anew
        self._anew.discard(name)

        def body(reader: Reader) -> Counter[str]:
            wanted: Counter[str] = Counter()
            for subject in version_repository.provisioned(reader, name):
                wanted.update(parts(subject))
            for version in version_repository.scaled(reader, name):
                wanted.update(least(version))
            return wanted

        wanted = await self._store.read(body)
        told = self._told.setdefault(name, {})
        for version, (target, _) in list(told.items()):
            if anew or not wanted[version]:
                self._engine.provision(target, 0)
                del told[version]
        for key in [key for key in self._failed if key[0] == name]:
            del self._failed[key]
        for version, number in wanted.items():
            await self._provision(name, version, number)
        if not told:
            del self._told[name]

    async def _provision(self, name: str, version: str, number: int) -> None:
        told = self._told[name]
        if version in told and told[version][1] == number:
            return
        try:
            target = told[version][0] if version in told else await self._catalog.ahead(name, version)
        except ServiceError as error:
            self._failed[name, version] = error.message
            return
        self._engine.provision(target, number)
        told[version] = target, number
