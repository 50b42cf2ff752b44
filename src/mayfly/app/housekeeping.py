"""Work that nobody asked for: bytes without an owner are given back to the disk."""

import asyncio
import logging

from mayfly.app.late_ports import LateObjects
from mayfly.errors import MayflyError
from mayfly.store.api import Blobs

# How long a reader may go on with bytes that were replaced or deleted under it.
GRACE_S = 3600.0
EVERY_S = 900.0

_log = logging.getLogger(__name__)


async def keep_house(objects: LateObjects, blobs: Blobs) -> None:
    """Collect and sweep, now and then, until cancelled."""
    while True:
        try:
            await objects.collect(GRACE_S)
            swept = await blobs.sweep(GRACE_S)
            if swept:
                _log.info("gave back %d blobs that nobody refers to", swept)
        except (MayflyError, OSError) as error:
            _log.warning("bytes without an owner were not given back this time: %s", error)
        await asyncio.sleep(EVERY_S)
