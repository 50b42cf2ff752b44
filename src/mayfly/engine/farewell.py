"""The orderly end of an instance that has extensions, as AWS does it.

The runtime gets SIGTERM and some time, then extensions that want to know are told SHUTDOWN and have what is left; all
others are killed at once, and everything when the time is over. Without extensions there is nothing of this. `program`
begins it; `over` is called when nothing of it is left to wait for, once.
"""

import asyncio
import signal
from collections.abc import Callable

from mayfly.clock import Clock
from mayfly.runtime_api.extensions import Extensions

# In all, with external extensions, and how much of that the runtime may take; with internal ones alone.
ALL_S, RUNTIME_S = 2.0, 0.3
INTERNAL_S = 0.5
_REASONS = {"timeout": "TIMEOUT", "init-timeout": "TIMEOUT", "restore-timeout": "TIMEOUT"}
_FAILED = frozenset(("exited", "signaled", "out-of-memory", "protocol", "init failed", "failed", "died", "fatal error"))


def reason_of(end: str) -> str:
    """What extensions are told of why an instance ends."""
    return _REASONS.get(end) or ("FAILURE" if end in _FAILED else "SPINDOWN")


class Farewell:
    """One of them. `kill` sends a signal to a program by its number."""

    def __init__(
        self,
        reason: str,
        extensions: Extensions,
        running: dict[int, str],
        runtime: int,
        clock: Clock,
        send: Callable[[int, int], None],
        over: Callable[[], None],
    ) -> None:
        """`running`: programs by number, with the names of extensions; that of the `runtime` is empty."""
        self._reason = reason
        self._extensions = extensions
        self._running = running
        self._runtime = runtime
        self._send = send
        self._over: Callable[[], None] | None = over
        loop = asyncio.get_running_loop()
        external = any(one.external for one in extensions.known)
        all_s, runtime_s = (ALL_S, RUNTIME_S) if external else (INTERNAL_S, INTERNAL_S)
        self._deadline_ms = int((clock.now() + all_s) * 1000)
        self._told = False
        self._timers = [loop.call_later(runtime_s, self._runtime_is_late), loop.call_later(all_s, self._end)]
        if runtime in running:
            send(runtime, signal.SIGTERM)
        else:
            loop.call_soon(self.ended)

    def ended(self) -> None:
        """A program has: `running` is without it."""
        if self._runtime not in self._running and not self._told:
            self._tell()
        if self._told and not self._running:
            self._end()

    def close(self) -> None:
        """Never mind. Idempotent."""
        self._over = None
        for timer in self._timers:
            timer.cancel()

    def _runtime_is_late(self) -> None:
        if self._runtime in self._running:
            self._send(self._runtime, signal.SIGKILL)

    def _tell(self) -> None:
        self._told = True
        told = {one.name for one in self._extensions.shut_down(self._reason, self._deadline_ms)}
        for number, name in self._running.items():
            if name not in told:
                self._send(number, signal.SIGKILL)

    def _end(self) -> None:
        over, self._over = self._over, None
        self.close()
        if over is not None:
            over()
