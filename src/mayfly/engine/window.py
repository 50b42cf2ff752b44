"""How much of an answer that a program sends in parts is on its way to its reader. Used by `program` and `web`."""

from collections.abc import Callable

from mayfly.sandbox import frames


class Window:
    """Of one answer: half of what may be under way, and one read; `hold` stops and resumes the reading."""

    def __init__(self, hold: Callable[[bool], None]) -> None:
        self._hold = hold
        self._under_way = 0
        self._held = False

    def sent(self, size: int) -> None:
        self._under_way += size
        self._look()

    def taken(self, size: int) -> None:
        self._under_way -= size
        self._look()

    def _look(self) -> None:
        held = self._under_way > frames.STREAM_WINDOW // 2
        if held is not self._held:
            self._held = held
            self._hold(held)
