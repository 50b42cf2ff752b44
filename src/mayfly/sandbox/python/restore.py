"""What differs between instances beyond random numbers and open files, and is in memory that they were forked with."""

from __future__ import annotations

import os
import sys
from typing import Any

_KEY_BYTES = 32


def renew_identity() -> None:
    """What the standard library draws once a process: the key by which multiprocessing's processes know each other, and
    the node in the unique ids that are made of time and place."""
    processes: Any = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes.current_process().authkey = os.urandom(_KEY_BYTES)
    ids: Any = sys.modules.get("uuid")
    if ids is not None and ids._node is not None:  # noqa: SLF001 (there is no public way to it)
        ids._node = ids._last_timestamp = None  # noqa: SLF001
