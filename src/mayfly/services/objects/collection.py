"""Letting go of bytes that no object refers to any more.

Overwriting, deleting and aborting only note what became free (`catalog.discard`). `collect` unlinks it later, in small
transactions, once readers that began before have had `grace_s`; the blobs themselves fall to `Blobs.sweep`. Called
periodically by whoever calls `Blobs.sweep`; safe to stop and repeat at any moment.
"""

from typing import Final

from mayfly.clock import Clock
from mayfly.services.objects import catalog, upload_catalog
from mayfly.store.api import Blobs, Store, Tx

_BATCH: Final = 500


async def collect(store: Store, blobs: Blobs, clock: Clock, grace_s: float) -> int:
    """Unlink everything that was discarded more than `grace_s` ago; how many blobs."""
    before = clock.now() - grace_s
    total = 0
    while True:
        unlinked, more = await store.write(lambda tx: _collect_batch(tx, blobs, before))
        total += unlinked
        if not more:
            return total


def _collect_batch(tx: Tx, blobs: Blobs, before: float) -> tuple[int, bool]:
    """Up to about `_BATCH` unlinks; whether there may be more."""
    unlinked = 0
    due = catalog.due_discards(tx, before, _BATCH)
    for owner, digest in due:
        if unlinked >= _BATCH:
            return unlinked, True
        if digest:
            blobs.unlink(tx, digest, owner)
            catalog.delete_discard(tx, owner)
            unlinked += 1
            continue
        parts = upload_catalog.list_parts(tx, owner, 0, _BATCH)
        for part in parts:
            blobs.unlink(tx, part.digest, part.link)
            upload_catalog.delete_part(tx, part)
        unlinked += len(parts)
        if len(parts) < _BATCH:
            catalog.delete_discard(tx, owner)
    return unlinked, bool(due)
