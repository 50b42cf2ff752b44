"""The collector of cycles, set for a server: called once by each process that serves, when all that it keeps is made.

Calls make no cycles, so that reference counts free what they leave behind; but the objects of some tens of calls under
way are more than the 700 after which Python looks for cycles by default. It then did so every 29 calls, through all
that the calls had touched: 18 µs of each call of 120. What is here from the start will not become garbage and is not
looked at again.
"""

import ctypes
import gc

# New objects, less those that are gone, before the young ones are looked at: those of several hundred calls at a time.
YOUNG = 10_000
MIDDLE, OLD = 10, 10  # as by default


def settle() -> None:
    """Collect what start-up left behind, and leave what it made alone from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)


def give_back() -> None:
    """Let the system have what the C library's allocator holds and nobody uses: some 3 MB after models were read, whose
    text lay where it is not reused. Nothing happens where the C library is another one."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
