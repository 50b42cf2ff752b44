"""What a process does to itself before it is forked from, so that its forks share more of its memory.

A fork gets a copy of each page that it writes to, and Python writes where one would not expect it. Three habits cost a
small function a third of its memory, and are broken here:

- *Holes.* What was freed lies scattered over the heap, one block here and one there, and new objects are put into
  exactly these places, each of which costs a page. So the holes are plugged: new objects get pages of their own, full
  of nothing else.
- *The cache of attributes* holds a reference to the name of each entry. A new entry drops the name of the one before,
  somewhere in memory. So the cache is emptied.
- *Code that is new to the interpreter* is counted, and then rewritten for the types that it meets. So what every start
  runs is run here first, some times over.

Called by templates, those of an interpreter and the shared ones. Measured here: an instance of a small function had
4.0 MiB of its own, and has 2.9. Each page that is not copied also makes the start a microsecond or so shorter. Copies
of the code that runs, next to each other, made it more: the names and constants beside code are written to, too.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable, Iterator

# The interpreter rewrites code after eight rounds, and what did not fit the first time later.
_ROUNDS = 20
_BYTES_OVERHEAD = sys.getsizeof(b"")
_MOST_BLOCKS = 1 << 20  # a template with more holes than that is left as it is
# Of the C library's allocator, in bytes. It keeps free blocks up to `_LARGEST_CACHED` for requests of their very size,
# and sizes come in steps.
_LARGEST_HOLE, _LARGEST_CACHED, _SMALLEST_HOLE, _STEP = 1 << 16, 1032, 24, 16
_STANDARD_ERROR = 2
_LONGEST_STATISTICS = 1 << 16  # what a pipe holds


def settle(rehearse: Callable[[], None]) -> list[object]:
    """Make this process ready to be forked from; `rehearse` is what forks do, without effect.

    What is returned fills the holes, and is to be kept. Garbage is collected, and what is left will not be looked at
    by the collector any more.
    """
    getattr(sys, "_clear_internal_caches", sys._clear_type_cache)()  # noqa: SLF001 (both are documented)
    for _ in range(_ROUNDS):
        rehearse()
    gc.collect()
    plugs: list[object] = []
    for size, blocks in sorted(holes(_allocator_statistics()), reverse=True):
        if len(plugs) + blocks <= _MOST_BLOCKS:
            plugs += [_block(size) for _ in range(blocks)]
    _plug_malloc()
    gc.freeze()
    return plugs


def holes(statistics: str) -> Iterator[tuple[int, int]]:
    """Sizes of blocks in bytes, and how many of each size are free in pools that are in use, from what
    `sys._debugmallocstats` prints; nothing where this Python's allocator is another one."""
    for line in statistics.splitlines():
        fields = line.split()  # class, size, pools, blocks in use, blocks that are not
        if len(fields) == 5 and all(field.isdigit() for field in fields):
            yield int(fields[1]), int(fields[4])


class _Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`; what is used of it: free bytes in all, and those at the end of the heap."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks"),
            *("fordblks", "keepcost"),
        )
    )


def _plug_malloc() -> None:
    """The same for the C library's allocator, of which larger objects are: what is allocated here is never freed.

    Sizes go down from those that hardly a hole has. A block that lies behind where the heap ended at first found none.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return  # glibc before 2.33, or another library
    libc.mallinfo2.restype = _Mallinfo
    for function in (libc.malloc, libc.sbrk):
        function.restype = ctypes.c_void_p
    libc.malloc_trim(0)  # what was read to be parsed left whole pages free, which no plug is to fill
    end = (libc.sbrk(0) or 0) - libc.mallinfo2().keepcost
    size, left = _LARGEST_HOLE, _MOST_BLOCKS
    while size >= _SMALLEST_HOLE and left:
        left -= 1
        block = libc.malloc(ctypes.c_size_t(size)) or end
        if block >= end:
            libc.free(ctypes.c_void_p(block if block > end else None))
            size = max(size * 4 // 5, _LARGEST_CACHED) if size > _LARGEST_CACHED else size - _STEP


def _block(size: int) -> object:
    """An object of exactly so many bytes, which are a multiple of 16."""
    if size > _BYTES_OVERHEAD:
        return bytes(size - _BYTES_OVERHEAD)
    return float(size) if size > 16 else object()


def _allocator_statistics() -> str:
    """What the C library's standard error gets of `sys._debugmallocstats`."""
    show = getattr(sys, "_debugmallocstats", None)
    if show is None:
        return ""
    reading, writing = os.pipe()
    before = os.dup(_STANDARD_ERROR)
    os.set_blocking(writing, False)
    try:
        os.dup2(writing, _STANDARD_ERROR)
        os.close(writing)
        show()
    finally:
        os.dup2(before, _STANDARD_ERROR)
        os.close(before)
    with open(reading, "rb") as file:
        return file.read(_LONGEST_STATISTICS).decode("ascii", "replace")
