"""The most memory that a sandbox used, read from a descriptor: of a control group's counter or a process's status.

For whoever was handed the descriptor: the server itself asks the sandbox.
"""

import os

_STATUS_BYTES = 8192


def read(descriptor: int) -> int:
    """Bytes; 0 when the file does not say. `OSError` when what it is of is gone."""
    data = os.pread(descriptor, _STATUS_BYTES, 0)
    if data[:1].isdigit():
        return int(data)
    _, found, rest = data.partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) << 10 if found else 0
