"""The disk is watched, and rules can act before it is full."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mayfly.app.disk_watch import DiskWatch
from mayfly.clock import ManualClock
from mayfly.services.metrics import series
from mayfly.services.metrics.service import PACKAGE
from mayfly.store.api import Tx
from tests.conftest import OpenStore

GIB = 1024**3


class Bus:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        tx.after_commit(lambda: self.told.append((detail_type, dict(detail))))


async def test_a_disk_that_runs_low_and_recovers_is_told_once_each(open_store: OpenStore, clock: ManualClock) -> None:
    store, bus = await open_store(PACKAGE), Bus()
    left = iter([50, 4, 3, 5.5, 50])
    path = Path("/data")
    watch = DiskWatch(path, store, bus, clock, lambda _: (int(next(left) * GIB), 100 * GIB))
    for _ in range(5):
        await watch.look()
    assert [kind for kind, _ in bus.told] == ["Disk Low", "Disk Recovered"]
    assert bus.told[0][1] == {"path": "/data", "availableBytes": 4 * GIB, "totalBytes": 100 * GIB}
    now = int(clock.now())
    points = await store.read(
        lambda reader: series.read(reader, ("Mayfly", "DiskAvailable", ()), now - 3600, now + 1, "Bytes")
    )
    assert (points[0].samples, points[0].minimum) == (5, 3 * GIB)
