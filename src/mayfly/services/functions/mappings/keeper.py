"""Mappings kept in the state that is stored: each change is a row that says where a mapping is going, then the work,
then a row that says where it is. A start goes on with whatever the last process left."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from mayfly.errors import PlatformError
from mayfly.services.functions.mappings import catalog
from mayfly.services.functions.mappings.model import UNDER_WAY, Mapping
from mayfly.services.functions.mappings.runner import Runner
from mayfly.store.api import Store, StoreClosedError, Tx

_PAGE: Final = 100
_PAUSE_S: Final = 1.0

_log = logging.getLogger(__name__)

Told = Callable[[str], None]


class Keeper:
    """`start` begins, `stop` ends. `make` gives the runner of a mapping. `patience_s`: how long what is under way may
    take when a mapping is changed, disabled or deleted; the batches of longer calls come again."""

    def __init__(self, store: Store, make: Callable[[Mapping, Told], Awaitable[Runner]], patience_s: float) -> None:
        self._store = store
        self._patience_s = patience_s
        self._make = make
        self._running: dict[str, tuple[int, Runner, asyncio.Task[None]]] = {}
        self._applying: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._resuming: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run what is to run."""
        self._resuming = asyncio.get_running_loop().create_task(self._resume(), name="mappings")

    async def stop(self, grace_s: float) -> None:
        """Take nothing more, see what is under way to its end for `grace_s`, then cut it short."""
        self._stopping = True
        tasks = [*self._applying.values(), *([self._resuming] if self._resuming is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        running, self._running = list(self._running.values()), {}
        for _, runner, _ in running:
            runner.finish()
        if running:
            await asyncio.wait([task for _, _, task in running], timeout=grace_s)
        for _, _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, _, task in running), *self._telling, return_exceptions=True)

    def want(self, uuid: str) -> None:
        """Bring a mapping to where its row says that it is going. Called on the event loop, after the commit."""
        if self._stopping:
            return
        if uuid in self._applying:
            self._again.add(uuid)
            return
        self._applying[uuid] = asyncio.get_running_loop().create_task(self._apply(uuid), name=f"mapping-{uuid}")

    async def settled(self, uuid: str, timeout_s: float) -> None:
        """Return when nothing is under way for a mapping, or after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                while (task := self._applying.get(uuid)) is not None:
                    await asyncio.wait({task})
        except TimeoutError:
            return

    async def _resume(self) -> None:
        while True:
            try:
                return await self._want_all()
            except StoreClosedError:
                return None
            except PlatformError:
                _log.exception("event source mappings cannot be read now; the next attempt follows")
                await asyncio.sleep(_PAUSE_S)

    async def _want_all(self) -> None:
        after = ""
        while True:
            found = await self._store.read(partial(catalog.page, after=after, limit=_PAGE))
            for mapping in found:
                if mapping.enabled or mapping.state in UNDER_WAY:
                    self.want(mapping.uuid)
            if len(found) < _PAGE:
                return
            after = found[-1].uuid

    async def _apply(self, uuid: str) -> None:
        """The boundary around one change."""
        again = False
        try:
            await self._bring(uuid)
        except StoreClosedError:
            return
        except Exception:
            _log.exception("mapping %s could not be brought into its state; the next attempt follows", uuid)
            await asyncio.sleep(_PAUSE_S)
            again = True
        finally:
            del self._applying[uuid]
            again = again or uuid in self._again
            self._again.discard(uuid)
            if again:
                self.want(uuid)

    async def _bring(self, uuid: str) -> None:
        mapping = await self._store.read(lambda reader: catalog.find(reader, uuid))
        revision = self._running[uuid][0] if uuid in self._running else None
        deleting = mapping is not None and mapping.state == "Deleting"
        if mapping is None or deleting or not mapping.enabled or revision != mapping.revision:
            await self._halt(uuid)
        if mapping is None:
            return
        if deleting:
            await self._store.write(lambda tx: catalog.delete(tx, uuid))
            return
        if mapping.enabled:
            await self._launch(mapping)
        if mapping.state in UNDER_WAY:
            await self._store.write(lambda tx: self._reach(tx, mapping))

    def _reach(self, tx: Tx, before: Mapping) -> None:
        """Say that a mapping has come to where it was going, unless something else was asked of it meanwhile."""
        mapping = catalog.find(tx, before.uuid)
        if mapping is not None and (mapping.state, mapping.revision) == (before.state, before.revision):
            state = "Enabled" if mapping.enabled else "Disabled"
            catalog.update(tx, msgspec.structs.replace(mapping, state=state))

    async def _launch(self, mapping: Mapping) -> None:
        if mapping.uuid in self._running:
            return
        runner = await self._make(mapping, lambda result: self._tell(mapping.uuid, result))
        task = asyncio.get_running_loop().create_task(runner.run(), name=f"mapping-{mapping.uuid}")
        self._running[mapping.uuid] = (mapping.revision, runner, task)
        task.add_done_callback(lambda task: self._ended(mapping.uuid, task))

    def _ended(self, uuid: str, task: asyncio.Task[None]) -> None:
        """A runner that ends by itself is a fault of ours: its mapping goes on, after a pause."""
        if task.cancelled() or task.exception() is None:
            return
        _log.error("mapping %s stopped running; it is started again", uuid, exc_info=task.exception())
        if uuid in self._running and self._running[uuid][2] is task:
            del self._running[uuid]
            asyncio.get_running_loop().call_later(_PAUSE_S, self.want, uuid)

    async def _halt(self, uuid: str) -> None:
        found = self._running.pop(uuid, None)
        if found is None:
            return
        _, runner, task = found
        runner.finish()
        await asyncio.wait({task}, timeout=self._patience_s)
        task.cancel()
        await asyncio.wait({task})

    def _tell(self, uuid: str, result: str) -> None:
        task = asyncio.get_running_loop().create_task(self._told(uuid, result))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, uuid: str, result: str) -> None:
        def body(tx: Tx) -> None:
            mapping = catalog.find(tx, uuid)
            if mapping is not None and mapping.state != "Deleting":
                catalog.update(tx, msgspec.structs.replace(mapping, last_result=result))

        try:
            await self._store.write(body)
        except PlatformError as error:
            _log.info("the last result of mapping %s was not kept: %s", uuid, error)
