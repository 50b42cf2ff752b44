"""The collector's settings in a process that serves."""

import gc
import platform
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from mayfly.app import garbage


class Node:
    """Something that can be part of a cycle."""

    def __init__(self) -> None:
        self.other: Node | None = None


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_start_up_made_is_left_alone_and_its_garbage_is_gone() -> None:
    node = Node()
    node.other = node
    gone = weakref.ref(node)
    del node
    garbage.settle()
    assert gone() is None
    assert gc.get_freeze_count() > 1000


def test_calls_under_way_set_off_no_collection_and_cycles_in_numbers_do() -> None:
    garbage.settle()
    before = gc.get_stats()[0]["collections"]
    held = [[number] for number in range(garbage.YOUNG // 2)]
    assert gc.get_stats()[0]["collections"] == before
    del held
    for _ in range(garbage.YOUNG * 2):
        node = Node()
        node.other = node
    assert gc.get_stats()[0]["collections"] > before


# Frees a heap below a block that stays; prints what the process has before and after giving back, in kB.
FREED = """
import ctypes
from mayfly.app import garbage
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def anonymous():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))
blocks = [libc.malloc(ctypes.c_size_t(100_000)) for _ in range(200)]
for block in blocks: ctypes.memset(block, 1, 100_000)
for block in blocks[:-1]: libc.free(block)
before = anonymous()
garbage.give_back()
print(before, anonymous())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep their memory otherwise")
def test_what_nobody_uses_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True, timeout=60)
    before, after = map(int, done.stdout.split())
    assert before - after > 15_000
