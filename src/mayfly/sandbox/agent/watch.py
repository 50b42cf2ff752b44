"""What waits for descriptors of nests: the agent's selector."""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Callable


class Watch:
    """The agent's selector, for descriptors that may be removed twice."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector

    def add(self, descriptor: int, react: Callable[[], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, react)

    def remove(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(descriptor)
