"""The output pipe of one instance: read as it fills, and emptied on demand before a call is reported finished."""

import asyncio
import fcntl
import os
import termios
from collections.abc import Callable

from mayfly.engine.lines import LineSplitter

_READ_BYTES = 64 * 1024
MOST_BYTES = 16 << 20  # that are kept of what is written between two calls of `drain`: of one call, as a rule
# So much is read at once of one call; then some 3 MB a second. Taking lines apart and storing them is work of the
# server, not of the function that wrote them: one that flooded its log had most of a processor of everybody's.
_AT_ONCE_BYTES = 1 << 20
_REST_S = 0.02
_NOTHING = b"\0\0\0\0"


class OutputPipe:
    """Owns the read end `fd` (non-blocking) and hands complete lines to `on_lines`, never an empty list. It begins to
    read as the pipe fills with `resume`.

    One event of the loop reads at most 64 KiB, so that an instance that prints without end gets its turns like
    everybody else, and no more; the pipe is then full and the instance waits. After `_AT_ONCE_BYTES` of one call there
    is a rest between two such turns.

    Logs are kept on disk, so what one call can write there is bounded: what is more than `MOST_BYTES` is read and
    forgotten, and a line says so.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, on_lines: Callable[[list[str]], None]) -> None:
        self._loop = loop
        self._fd = fd
        self._on_lines = on_lines
        self._splitter = LineSplitter()
        self._reading = True  # until its end was read
        self._left = MOST_BYTES
        self._at_once = _AT_ONCE_BYTES
        self._rest: asyncio.TimerHandle | None = None  # nothing is read until it is over
        # While calls wait that were sent ahead: whether everything was heard that the runtime said. See `_readable`.
        self.heard: Callable[[], bool] | None = None

    def drain(self) -> None:
        """Report everything that is in the pipe now, an unfinished last line included.

        What was in the pipe when this is called is at most what the pipe holds. Reading stops there, because somebody
        may go on writing.
        """
        left = _READ_BYTES
        extended = False
        while self._reading:
            count = self._read()
            left -= count
            if count == 0:
                break
            if left <= 0:
                if extended:
                    break
                left += fcntl.fcntl(self._fd, fcntl.F_GETPIPE_SZ)
                extended = True
        self.flush()
        self._left = MOST_BYTES
        self._at_once = _AT_ONCE_BYTES
        self._go_on()

    def flush(self) -> None:
        """Report an unfinished line as a line of its own."""
        if self._splitter.partial:
            self._report(self._splitter.flush())

    def pause(self) -> None:
        """Read nothing more until `resume`: somebody else does. An unfinished line is reported."""
        self.flush()
        if self._reading:
            self._end_rest()
            self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        if self._reading:
            self._loop.add_reader(self._fd, self._readable)

    def close(self) -> None:
        """Give the descriptor back; what is unread is lost. Idempotent."""
        if self._fd >= 0:
            self._stop()
            os.close(self._fd)
            self._fd = -1

    def _readable(self) -> None:
        """Where the next call begins as soon as one has ended, what is read must be the work of the one that runs as
        far as is known here. It is if, in this order, something is in the pipe and no word of that call's end has
        come: should it end now, its runtime sees a pipe that is not empty, and waits before it begins the next.
        """
        if self.heard is None or (self._holds_something() and self.heard()):
            self._at_once -= self._read()
            if self._at_once <= 0 and self._reading and self._rest is None:
                self._loop.remove_reader(self._fd)
                self._rest = self._loop.call_later(_REST_S, self._go_on)

    def _go_on(self) -> None:
        """Read again, if this is a rest."""
        if self._rest is not None:
            self._end_rest()
            self._loop.add_reader(self._fd, self._readable)

    def _end_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _holds_something(self) -> bool:
        return fcntl.ioctl(self._fd, termios.FIONREAD, _NOTHING) != _NOTHING

    def _read(self) -> int:
        """Bytes read and reported; 0 when there are none now, or will be none any more."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            self._stop()
            return 0
        kept = data[: self._left] if len(data) > self._left else data
        if kept:
            self._left -= len(kept)
            self._report(self._splitter.feed(kept))
            if not self._left:
                self.flush()
                self._report([f"[MAYFLY] {MOST_BYTES >> 20} MB were logged; more of this call is not kept"])
        return len(data)

    def _report(self, lines: list[str]) -> None:
        if lines:
            self._on_lines(lines)

    def _stop(self) -> None:
        if self._reading:
            self._reading = False
            self._end_rest()
            self._loop.remove_reader(self._fd)
