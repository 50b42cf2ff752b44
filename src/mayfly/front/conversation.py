"""A front's side of its talk with the core: puts questions, takes orders.

An order is carried out before the next message is read, so that the core may rely on the order of things: what it
revoked is forgotten when `Settled` is sent, and what it answered before that is revoked with it.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

from mayfly.engine.api import Target
from mayfly.front import messages
from mayfly.front.entries import RemoteEntries, RemoteKeys, is_of
from mayfly.front.leases import Leases
from mayfly.front.link import Link, Questions

_log = logging.getLogger(__name__)


class Conversation:
    """Bound to what it serves by `bind`, once the core has said what this front is to be."""

    def __init__(self, on_welcome: Callable[[messages.Welcome], None], on_drain: Callable[[], None]) -> None:
        self.questions = Questions()
        self._on_welcome = on_welcome
        self._on_drain = on_drain
        self._link: Link[Any] | None = None
        self._entries: RemoteEntries | None = None
        self._keys: RemoteKeys | None = None
        self._leases: Leases | None = None
        self._adopt: Callable[[int, bytes], None] = lambda descriptor, data: os.close(descriptor)

    def attach(self, link: "Link[Any]") -> None:
        """Speak over `link` from now on."""
        self._link = link

    def bind(
        self, entries: RemoteEntries, keys: RemoteKeys, leases: Leases, adopt: Callable[[int, bytes], None]
    ) -> None:
        """What orders are about. `adopt` takes a connection and what was read of it."""
        self._entries, self._keys, self._leases, self._adopt = entries, keys, leases, adopt

    def send(self, message: object) -> None:
        assert self._link is not None
        self._link.send(message)

    def move(self, descriptor: int, data: bytes) -> None:
        """Give a connection to the core."""
        assert self._link is not None
        self._link.send(messages.Moved(data), (descriptor,), close=True)

    async def ask(self, make: Callable[[int], object]) -> Any:
        """The answer to the question that `make` makes of a number; `ConnectionError` when the core is gone."""
        number, answer = self.questions.new()
        self.send(make(number))
        return await answer

    def heard(self, message: Any, descriptors: list[int]) -> None:
        """One message of the core."""
        match message:
            case messages.Leased(number=number):
                self.questions.answer(number, (message, descriptors))
            case messages.Ran(number=number) | messages.Entry(number=number) | messages.Key(number=number):
                self.questions.answer(number, message)
            case messages.Moved(data=data):
                self._adopt(descriptors.pop(), data)
            case messages.Recall(number=number, key=key, function=function, busy=busy):
                self._give_back(
                    number,
                    lambda target: key in (None, target.key) and function in (None, target.function),
                    busy=busy,
                )
            case messages.Revoke(number=number, function=name, keys=keys):
                self._revoke(number, name, keys=keys)
            case messages.Died(lease=lease, exit=how, verdict=verdict):
                assert self._leases is not None
                self._leases.died(lease, how, verdict)
            case messages.Ping(number=number):
                self.send(messages.Settled(number))
            case messages.Drain():
                self._on_drain()
            case messages.Welcome():
                self._on_welcome(message)

    def _revoke(self, number: int, name: str | None, *, keys: bool) -> None:
        if self._entries is None or self._keys is None:  # nothing is known yet
            self.send(messages.Settled(number))
            return
        if keys:
            self._keys.revoke()
        if name == "":
            self.send(messages.Settled(number))
            return
        self._entries.revoke(name)
        self._give_back(number, lambda target: name is None or is_of(target, name), busy=True)

    def _give_back(self, number: int, covers: Callable[[Target], bool], *, busy: bool) -> None:
        later_s = self._leases.give_back(covers, busy=busy) if self._leases is not None else 0.0
        if later_s:
            asyncio.get_running_loop().call_later(later_s, self.send, messages.Settled(number))
        else:
            self.send(messages.Settled(number))
