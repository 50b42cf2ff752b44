"""How a codec's closures over a model's shapes are compiled: once a shape, and once for shapes that contain themselves.

Every codec builds, for each operation, a tree of small functions that mirrors the tree of shapes. A shape that is
being compiled while it is met again (DynamoDB's AttributeValue) gets a function that looks the finished one up.

There are tens of thousands of such functions, so their size matters. A module that makes them leaves annotations
unevaluated (`from __future__ import annotations`), which are otherwise made anew with every function and took as much
memory as the functions did; and they refer to names and to other functions, not to shapes or operations of the model,
each of which holds on to all that it was ever asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, Generic, TypeVar

from botocore.model import Shape

Step = TypeVar("Step", bound=Callable[..., Any])


class Compiler(Generic[Step]):
    """Compiles shapes to functions and keeps them. Subclasses or callers give `build`.

    For several threads: a start compiles in one what its first requests may ask for in another. Who is second waits,
    since a shape that is half compiled is no use to it.
    """

    def __init__(self, build: Callable[[Shape, Compiler[Step]], Step]) -> None:
        self._build = build
        self._done: dict[Hashable, Step] = {}
        self._open: set[Hashable] = set()  # of the thread that holds the lock
        self._lock = RLock()

    def step(self, shape: Shape) -> Step:
        """The function for `shape`."""
        key = _key(shape)
        found = self._done.get(key)
        if found is not None:
            return found
        with self._lock:
            return self._done.get(key) or self._compiled(key, shape)

    def _compiled(self, key: Hashable, shape: Shape) -> Step:
        if key in self._open:
            done = self._done

            def later(*arguments: Any) -> Any:
                return done[key](*arguments)

            return later  # type: ignore[return-value]  # calls what will stand there, with the same signature
        self._open.add(key)
        try:
            built = self._build(shape, self)
        finally:
            self._open.discard(key)
        self._done[key] = built
        return built


def _key(shape: Shape) -> Hashable:
    """Equal for uses of a shape that serialise alike: the name is not enough, a member may bring its own traits."""
    return shape.name, tuple(sorted((key, repr(value)) for key, value in shape.serialization.items()))
