"""What a template does to itself so that its forks share more of its memory."""

import subprocess
import sys

from mayfly.sandbox import interpreters, parcel
from mayfly.sandbox.python import settle

STATISTICS = """\
Small block threshold = 512, in 32 size classes.

class   size   num pools   blocks in use  avail blocks
-----   ----   ---------   -------------  ------------
    0     16           1             135           888
    1     32          12            6000           132

# arenas allocated total           =                  300
# bytes in 4000 available blocks   =    1,234
"""

# Holes of many sizes, in Python's allocator and in the C library's; how much of them is left when all is settled.
PROGRAM = """
import gc, sys; sys.path.insert(0, sys.argv[1])
from mayfly.sandbox.python import settle
kept = [bytes(number % 3000) for number in range(200_000)][::3]
free = lambda: sum(size * blocks for size, blocks in settle.holes(settle._allocator_statistics()))
before, rounds = free(), []
plugs = settle.settle(lambda: rounds.append(1))
print(before, free(), len(rounds), gc.get_freeze_count() > 0)
"""
# Leaves holes of all small sizes in the C library's heap, and counts into how many of them blocks are put afterwards.
SMALL = """
import ctypes, sys; sys.path.insert(0, sys.argv[1])
from mayfly.sandbox.python import settle
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
sizes = range(24, 1033, 16)
blocks = [libc.malloc(size) for size in sizes for _ in range(20)]
holes = set(blocks[::2])
for block in holes: libc.free(block)
if sys.argv[2] == "settled": plugs = settle.settle(lambda: None)
print(len(holes.intersection([libc.malloc(size) for size in sizes for _ in range(10)])))
"""


def test_holes_are_read_off_the_statistics_and_nothing_else() -> None:
    assert list(settle.holes(STATISTICS)) == [(16, 888), (32, 132)]
    assert list(settle.holes("")) == []


def test_a_settled_process_has_hardly_any_holes_and_has_rehearsed() -> None:
    python = interpreters.current().path
    command = [str(python), "-I", "-S", "-c", PROGRAM, str(parcel.source())]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    before, after, rounds, frozen = done.stdout.split()
    assert int(before) > 1 << 20
    assert int(after) < int(before) // 4
    assert (int(rounds) > 8, frozen) == (True, "True")
    assert done.stderr == ""


def test_what_the_allocator_says_is_caught_and_standard_error_is_itself_again() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); from mayfly.sandbox.python import settle\n"
    program += "text = settle._allocator_statistics()\nprint('avail blocks' in text); sys.stderr.write('back')"
    command = [sys.executable, "-I", "-S", "-c", program, str(parcel.source())]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True\n", "back")


def test_what_a_settled_process_allocates_lies_beyond_the_holes_it_had() -> None:
    found = []
    for how in ("as it is", "settled"):
        command = [str(interpreters.current().path), "-I", "-S", "-c", SMALL, str(parcel.source()), how]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        found.append(int(done.stdout))
    assert found[0] > 400
    assert found[1] < 10
