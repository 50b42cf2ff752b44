"""The parts of one call's result, on the side of the instance that runs it.

They go on to whoever reads them as they come, or are collected where somebody asked for the whole. The runtime is told
how much more it may send when a fair share of what it may have on the way has been taken.
"""

from collections.abc import Callable

from mayfly.engine.streamed import Streamed
from mayfly.sandbox import frames

_SHARE = frames.STREAM_WINDOW // 4


class Parts:
    """Those of one call. `send_more` tells its runtime for how many bytes there is room again."""

    def __init__(self, into: Streamed | None, content_type: str, send_more: Callable[[int], None]) -> None:
        self.content_type = content_type
        self._into = into
        self._send_more = send_more
        self._sent = 0  # and not taken yet
        self._untold = 0
        self._collected = bytearray()
        if into is not None:
            into.begin(content_type, self._taken)

    def add(self, part: bytes) -> bool:
        """One more; False when the runtime sent more than it may."""
        self._sent += len(part)
        if self._sent > frames.STREAM_WINDOW:
            return False
        if self._into is not None:
            self._into.feed(part)
            return True
        if len(self._collected) <= frames.MAX_PAYLOAD:  # whatever anybody's limit is, it is not larger
            self._collected += part
        self._taken(len(part))
        return True

    def whole(self) -> bytes:
        """What was collected."""
        return bytes(self._collected)

    def _taken(self, size: int) -> None:
        self._sent -= size
        self._untold += size
        if self._untold >= _SHARE:
            self._send_more(self._untold)
            self._untold = 0
