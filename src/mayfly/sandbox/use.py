"""The memory that a control group's processes have of their own now, read from a descriptor of its `memory.stat`.

For whoever was handed the descriptor. Files that the kernel keeps in memory are not counted: it gives them up by
itself.
"""

import os

_MOST_BYTES = 16_384
_NAMES = frozenset((b"anon", b"rss"))  # with control groups of version 2, and of version 1


def read(descriptor: int) -> int:
    """Bytes; 0 when the file does not say. `OSError` when what it is of is gone."""
    for line in os.pread(descriptor, _MOST_BYTES, 0).splitlines():
        name, _, number = line.partition(b" ")
        if name in _NAMES:
            return int(number)
    return 0
