"""How much a sandbox may make the server do at once: connections that are accepted, and questions that are answered.

What is beyond waits in the kernel, within the kernel's bounds, and costs the server nothing. Used by `outlet`.
"""

import asyncio
import socket
from collections.abc import Callable


class Gate:
    """Reads of one socket: at most `rate` a second, and at most `most` that are under way."""

    def __init__(self, of: socket.socket, react: Callable[[socket.socket], bool], rate: int, most: "Places") -> None:
        """`react` is called when something can be read; False: there was nothing after all."""
        self._socket = of
        self._react = react
        self._rate = rate
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._left = rate
        self._since = self._loop.time()
        self._later: asyncio.TimerHandle | None = None
        self._open = False
        most.gates.append(self)
        self.resume()

    def resume(self) -> None:
        """Go on, if nothing is in the way."""
        if not self._open and self._later is None and self._most.free and self._socket.fileno() >= 0:
            self._open = True
            self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Close the socket, too."""
        self._pause()
        if self._later is not None:
            self._later.cancel()
        self._socket.close()

    def _readable(self) -> None:
        if not self._most.free:  # other gates took the places
            self._pause()
            return
        now = self._loop.time()
        if now - self._since >= 1:
            self._since, self._left = now, self._rate
        if not self._react(self._socket):
            return
        self._left -= 1
        if not self._left:
            self._pause()
            self._later = self._loop.call_at(self._since + 1, self._go_on)

    def _pause(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._socket)

    def _go_on(self) -> None:
        self._later = None
        self.resume()


class Places:
    """What all gates of a sandbox share: the tasks that are under way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.gates: list[Gate] = []
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> bool:
        return len(self.tasks) < self._most

    def occupy(self, task: asyncio.Task[None]) -> None:
        """Until it ends."""
        self.tasks.add(task)
        task.add_done_callback(self._vacated)

    def _vacated(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        for gate in self.gates:
            gate.resume()
