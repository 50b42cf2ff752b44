"""Ends requests whose time is over, where several run in one process: an instance that computes, whatever it computes.

The engine's epoch is advanced when there is something to end; every running instance then asks, and goes on unless it
is meant. What waits in a host call (sleeps, say) is not reached: the server ends the process then.
"""

from __future__ import annotations

import ctypes
import threading
import time
from typing import Any

import wasmtime
from wasmtime import _ffi as ffi

_CONTINUE = 0
_AGAIN_S = 0.02
_NEVER = float("inf")
_Callback: Any = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.POINTER(ffi.wasmtime_context_t),
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.POINTER(ctypes.c_uint8),
)
_Finalizer: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_NO_FINALIZER = _Finalizer()


class Running:
    """One request under way."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline  # monotonic seconds
        self.cancelled = False
        self.callback = _Callback(self._asked)  # kept for as long as the store may call it

    def watch(self, store: wasmtime.Store) -> None:
        """Have the instance ask at each epoch."""
        ffi.wasmtime_store_epoch_deadline_callback(store.ptr(), self.callback, None, _NO_FINALIZER)

    def over(self, now: float) -> bool:
        return self.cancelled or now >= self.deadline

    def asked_again(self, now: float) -> float:
        """When it is to be asked, if it is still there."""
        return now + _AGAIN_S if self.over(now) else self.deadline

    def _asked(self, _context: Any, _data: Any, delta: Any, what: Any) -> int:
        if self.over(time.monotonic()):
            ended = wasmtime.WasmtimeError("its time is over")
            return ctypes.cast(ended._consume(), ctypes.c_void_p).value or 0  # noqa: SLF001 (there is no public way)
        delta[0], what[0] = 1, _CONTINUE
        return 0


class Clockwork:
    """A thread that advances the epoch when the first of all deadlines has come, or a request is cancelled, and again
    until what it meant has ended: its instance may not have begun yet, or be in a host call."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._running: dict[int, Running] = {}
        self._changed = threading.Condition()
        self._wakes_at = _NEVER
        threading.Thread(target=self._turn, name="clockwork", daemon=True).start()

    def begin(self, number: int, running: Running) -> None:
        """Before its instance is made."""
        with self._changed:
            self._running[number] = running
            if running.deadline < self._wakes_at:
                self._changed.notify()

    def end(self, number: int) -> None:
        with self._changed:
            del self._running[number]

    def cancel(self, number: int) -> None:
        """End a request that runs, or is about to; nothing happens to others."""
        with self._changed:
            running = self._running.get(number)
            if running is not None:
                running.cancelled = True
                self._changed.notify()

    def _turn(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                if any(one.over(now) for one in self._running.values()):
                    self._engine.increment_epoch()
                self._wakes_at = min((one.asked_again(now) for one in self._running.values()), default=_NEVER)
                self._changed.wait(None if self._wakes_at == _NEVER else self._wakes_at - now)
