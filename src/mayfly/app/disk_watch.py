"""Watches the disk under the data directory: a metric of what is left, and events when it is low and when it recovers.

Events go to the default bus, from the source `mayfly.platform`, so that a rule can start a function that mends it.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.policy import disk
from mayfly.policy.quantiles import bucket
from mayfly.services.metrics import series
from mayfly.services.metrics.model import Datum
from mayfly.services.ports import PlatformEvents
from mayfly.store.api import Store, Tx

SOURCE: Final = "mayfly.platform"
NAMESPACE: Final = "Mayfly"
EVERY_S: Final = 30.0

_log = logging.getLogger(__name__)

Measure = Callable[[Path], tuple[int, int]]


def measured(path: Path) -> tuple[int, int]:
    """Bytes that are available under `path` to who is not root, and the size of that disk."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


class DiskWatch:
    """`run` it as long as the platform runs."""

    def __init__(
        self, path: Path, store: Store, events: PlatformEvents, clock: Clock, measure: Measure = measured
    ) -> None:
        self._path = path
        self._store = store
        self._events = events
        self._clock = clock
        self._measure = measure
        self._low = False

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            try:
                await self.look()
            except (MayflyError, OSError) as error:
                _log.warning("the disk under %s was not looked at this time: %s", self._path, error)
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Measure once, and tell what changed."""
        available, total = await asyncio.to_thread(self._measure, self._path)
        low = disk.is_low(available, total, was_low=self._low)
        detail = {"path": str(self._path), "availableBytes": available, "totalBytes": total}

        def body(tx: Tx) -> None:
            series.record(tx, [_datum(int(self._clock.now()), float(available))])
            if low != self._low:
                self._events.emit(tx, SOURCE, "Disk Low" if low else "Disk Recovered", detail)

        await self._store.write(body)
        if low and not self._low:
            _log.warning("only %d MiB are left under %s", available // 1024**2, self._path)
        self._low = low


def _datum(at: int, available: float) -> Datum:
    sketch = {bucket(available): 1.0}
    return Datum(NAMESPACE, "DiskAvailable", (), "Bytes", at, False, 1.0, available, available, available, sketch)
