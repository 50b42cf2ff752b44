"""The loop of a privileged process that serves one server: the agent's, and that of each supervisor of an OCI runtime.

It reacts to what the server says, to what else is watched, and to the deaths of children, until the server goes away,
says so, or SIGTERM comes. What is served is up to whoever inherits.
"""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable
from typing import Any

from mayfly.sandbox.agent import channel


class Serving:
    """One thread, one server."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._running = True

    def serve(self, greeting: dict[str, Any]) -> None:
        """Say what there is, and serve; on return all is cleaned up."""
        waker, alarm = socket.socketpair()
        alarm.setblocking(False)
        signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        self._selector.register(waker, selectors.EVENT_READ, lambda: self._signalled(waker))
        self._selector.register(self._server, selectors.EVENT_READ, self._from_server)
        self._report({"op": channel.READY, **greeting}, [])
        try:
            while self._running:
                react_once(self._selector, self._sleep_s())
                self._reacted()
        finally:
            self._clean_up()

    def _report(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """To the server. It reads at once or is dead: a full socket stops this process, and nothing is lost."""
        try:
            channel.send(self._server, message, descriptors)
        except ConnectionError:
            self._running = False

    def _signalled(self, waker: socket.socket) -> None:
        if signal.SIGTERM in waker.recv(4096):
            self._running = False
        self._children_died()

    def _from_server(self) -> None:
        try:
            received = channel.receive(self._server)
        except ConnectionError:
            received = None
        if received is None or received[0]["op"] == channel.CLOSE:
            self._running = False
            return
        self._asked(*received)

    # What is served.

    def _asked(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """The server wants something."""
        raise NotImplementedError

    def _children_died(self) -> None:
        """Some may have."""
        raise NotImplementedError

    def _sleep_s(self) -> float | None:
        """How long nothing is to be done, unless something happens; None: for ever."""
        raise NotImplementedError

    def _reacted(self) -> None:
        """To all that happened, or the time is over."""
        raise NotImplementedError

    def _clean_up(self) -> None:
        """Nobody is served any more."""
        raise NotImplementedError


def react_once(selector: selectors.BaseSelector, timeout_s: float | None) -> None:
    """Have whoever watches a descriptor that is ready react: not those who stopped watching when another reacted, for
    the same descriptor may be another's by then."""
    for key, _ in selector.select(timeout_s):
        if selector.get_map().get(key.fd) is key:
            react: Callable[[], None] = key.data
            react()
