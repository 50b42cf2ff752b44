"""What must differ between instances that were forked from the same shared template, and is made to differ here.

Python's `random` and NumPy's legacy generator draw from state in memory. So do generators that packages make at import:
those that were seeded from the system are noted while the packages are imported, and seeded again in every instance;
those with a seed of their own keep it, because they would give the same numbers in every instance on any platform.
"""

from __future__ import annotations

import os
import random
import socket
import sys
import weakref
from collections.abc import Iterable
from typing import Any


class Generators:
    """Notes which `random.Random` objects are seeded from the system, from `__enter__` to `__exit__`."""

    def __init__(self) -> None:
        self._seeded: dict[int, weakref.ref[random.Random]] = {}

    def __enter__(self) -> Generators:
        original = self._original = random.Random.seed
        seeded = self._seeded

        def seed(generator: random.Random, a: Any = None, version: int = 2) -> None:
            original(generator, a, version)
            if a is None:
                seeded[id(generator)] = weakref.ref(generator)
            else:
                seeded.pop(id(generator), None)

        random.Random.seed = seed  # type: ignore[method-assign, assignment]  # (the class attribute is meant)
        return self

    def __exit__(self, *_: object) -> None:
        random.Random.seed = self._original  # type: ignore[method-assign]

    def reseed(self) -> None:
        """Seed Python's own generator, NumPy's, and all that were noted."""
        random.seed()
        for reference in self._seeded.values():
            generator = reference()
            if generator is not None:
                generator.seed()
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is not None:
            numpy_random.seed()


def reopen(descriptors: Iterable[int]) -> None:
    """Give files that are open for reading an offset of their own, the one they had."""
    for descriptor in descriptors:
        again = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(again, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
        os.dup2(again, descriptor, inheritable=os.get_inheritable(descriptor))
        os.close(again)


def kill_sockets(descriptors: Iterable[int]) -> None:
    """Put a dead socket in the place of each: reading finds the end, writing a broken pipe."""
    for descriptor in descriptors:
        dead, other = socket.socketpair()
        other.close()
        os.dup2(dead.fileno(), descriptor, inheritable=os.get_inheritable(descriptor))
        dead.close()
