"""The ends of the logs of invocations, for callers who wait for an execution and asked for that of its last.

In memory: `calls` asks, `carrying` answers, in one process. Who finds an execution that was there already, or waits in
another life of the server, has none.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Tail:
    """What one caller gets."""

    def __init__(self) -> None:
        self.text = b""  # of the last invocation that ended
        self.idle = asyncio.Event()  # no invocation is under way
        self.idle.set()


class Tails:
    """By execution."""

    def __init__(self) -> None:
        self._wanted: dict[str, list[Tail]] = {}

    @contextmanager
    def wanted(self, execution_id: str, *, really: bool) -> Iterator[Tail]:
        """What comes while the context is open; nothing if it is not `really` wanted."""
        tail = Tail()
        if not really:
            yield tail
            return
        self._wanted.setdefault(execution_id, []).append(tail)
        try:
            yield tail
        finally:
            self._wanted[execution_id].remove(tail)
            if not self._wanted[execution_id]:
                del self._wanted[execution_id]

    @contextmanager
    def invocation(self, execution_id: str) -> Iterator[Sequence[Tail]]:
        """One is under way while the context is open, for those that want its tail."""
        wanted = tuple(self._wanted.get(execution_id, ()))
        for tail in wanted:
            tail.idle.clear()
        try:
            yield wanted
        finally:
            for tail in wanted:
                tail.idle.set()
