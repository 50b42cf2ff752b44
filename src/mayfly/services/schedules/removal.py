"""Groups that are being deleted: their schedules first, some at a time, so that no write waits for all of them."""

import asyncio
import logging
from functools import partial

from mayfly.errors import PlatformError
from mayfly.services.schedules import catalog
from mayfly.services.schedules import statements as sql
from mayfly.services.schedules.model import Schedule
from mayfly.store.api import Store, StoreClosedError, Tx
from mayfly.ticker.ticker import Ticker

BATCH = 200
_PAUSE_S = 1.0

_log = logging.getLogger(__name__)


class Removal:
    """`run` must be a task for as long as groups may be deleted; `settle` does all of it on the spot."""

    def __init__(self, store: Store, ticker: Ticker) -> None:
        self._store = store
        self._ticker = ticker
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Tell `run` that a group is to go. Called on the event loop."""
        self._wanted.set()

    async def run(self) -> None:
        """Remove until cancelled; what the last process left unfinished first."""
        while True:
            self._wanted.clear()
            try:
                await self.settle()
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("a schedule group cannot be deleted now; the next attempt follows")
                await asyncio.sleep(_PAUSE_S)
                continue
            await self._wanted.wait()

    async def settle(self) -> None:
        """Remove everything that is to go."""
        while (row := await self._store.read(lambda reader: reader.one(sql.FIND_DELETING))) is not None:
            name: str = row[0]
            while await self._store.write(partial(self._remove_some, group=name)):
                pass

    def _remove_some(self, tx: Tx, group: str) -> bool:
        """Some schedules of the group, and the group with its last; whether there may be more."""
        names = tx.all(sql.SOME_OF_GROUP, {"group": group, "limit": BATCH})
        for (name,) in names:
            catalog.remove(tx, group, name)
            self._ticker.set(tx, Schedule.key_of(group, name), None)
        if len(names) < BATCH:
            tx.run(sql.DELETE_GROUP, {"name": group})
            return False
        return True
