"""The account of one instance's start: what each step took, and what the runtime says about its part.

What a runtime says comes from a process in which the function runs: it is checked for shape and size, and shown, and
nothing else is built on it.
"""

from typing import Any

from mayfly.engine.api import Import, Start, StartPath
from mayfly.sandbox.api import Origin

_MOST_IMPORTS = 5000
_LONGEST_NAME, _LONGEST_PATH = 256, 256
_MOST_MS = 1e9


class Account:
    """Filled in while an instance starts. All times are monotonic seconds."""

    def __init__(self, began_at: float) -> None:
        self._began_at = began_at
        self._made_at = began_at
        self._origin: Origin = "process"
        self._from_spare = False
        self.environment: dict[str, str] = {}

    def sandbox_made(
        self, now: float, origin: Origin, environment: dict[str, str], *, from_spare: bool = False
    ) -> None:
        self._made_at, self._origin, self._from_spare, self.environment = now, origin, from_spare, environment

    def ready(self, now: float, meta: dict[str, Any], *, snap_start: bool) -> Start:
        """The runtime is ready, and `meta` is what it says."""
        init_ms, restore_ms = _milliseconds(meta.get("init_ms")), _milliseconds(meta.get("restore_ms"))
        init_ms = max(0.0, init_ms - restore_ms)
        return Start(
            path="spare" if self._from_spare else _path(self._origin, snap_start),
            sandbox_ms=(self._made_at - self._began_at) * 1000,
            runtime_ms=max(0.0, (now - self._made_at) * 1000 - restore_ms - init_ms),
            restore_ms=restore_ms,
            init_ms=init_ms,
            imports=_imports(meta.get("imports")),
            restored=snap_start and self._origin == "template",
        )


def capacity_of(said: object, allowed: int) -> int:
    """How many calls an instance takes at a time, by what its runtime says; 1 if it says nothing."""
    return min(said, allowed) if isinstance(said, int) and said > 0 else 1


def takes_shares(said: object, capacity: int) -> bool:
    """Whether an instance lets others than the engine run some of its calls, by what its runtime says."""
    return said is True and capacity > 1


def _path(origin: Origin, snap_start: bool) -> StartPath:
    if origin == "template":
        return "function" if snap_start else "packages"
    return origin


def _milliseconds(value: object) -> float:
    if isinstance(value, int | float) and 0 <= value < _MOST_MS:
        return float(value)
    return 0.0


def _imports(value: object) -> tuple[Import, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(one for entry in value[:_MOST_IMPORTS] if (one := _import(entry)) is not None)


def _import(entry: object) -> Import | None:
    if not isinstance(entry, list) or len(entry) != 4:
        return None
    module, path, total_us, own_us = entry
    if not (
        isinstance(module, str) and isinstance(path, str) and isinstance(total_us, int) and isinstance(own_us, int)
    ):
        return None
    if len(module) > _LONGEST_NAME or min(total_us, own_us) < 0 or max(total_us, own_us) > _MOST_MS:
        return None
    return Import(module, path[:_LONGEST_PATH], total_us, own_us)
