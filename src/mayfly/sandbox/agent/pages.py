"""Huge pages for templates: a fork copies the tables of pages, and 512 small pages have as many entries as one huge
page has of tables. Measured here: a fork of an interpreter with boto3 takes 2.5 instead of 4.6 ms afterwards, one with
pandas 3.5 instead of 4.4.
"""

from __future__ import annotations

import ctypes
from typing import TextIO

_SIZE = 1 << 21
_MADV_COLLAPSE = 25  # Linux 6.1
_libc = ctypes.PyDLL(None, use_errno=True)


MAPS = "/proc/self/maps"


def collapse(maps: TextIO) -> None:
    """Have the kernel gather this process's heap in huge pages, as far as it can; nothing happens where it cannot.

    `maps` is `MAPS`, opened where /proc can be seen and not yet read from.
    """
    for line in maps:
        addresses, access, _, _, _, *name = line.split(None, 5)
        if access != "rw-p" or (name and name[0].strip() != "[heap]"):
            continue
        first, last = (int(address, 16) for address in addresses.split("-"))
        for address in range(-(-first // _SIZE) * _SIZE, last - _SIZE + 1, _SIZE):
            _libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(_SIZE), _MADV_COLLAPSE)
