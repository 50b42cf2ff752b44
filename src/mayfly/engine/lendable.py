"""How an instance is lent: as a whole while it is idle, or by the place while it runs calls (`shares`).

Whoever borrows it speaks to the runtime over sockets of his own, or the instance's; the engine's books go on counting
every call. `leases` asks for all of this.
"""

import socket
from typing import Self

from mayfly.engine.ending import GIVING_UP_S
from mayfly.engine.owner import Keeper, Lent
from mayfly.engine.running import Running
from mayfly.engine.states import Event, State
from mayfly.sandbox import frames


class Lendable(Running):
    """An instance that others may run calls on."""

    # As a whole.

    def lend(self, keeper: "Keeper[Self]") -> Lent:
        """Let somebody else run calls on this idle instance, until `take_back`."""
        assert self._ends is not None
        if self.state is State.FROZEN:
            self._thaw(self._ends)
        self._lifecycle.feed(Event.LENT)
        self._keeper = keeper
        self._ends.pause()
        sandbox = self._ends.sandbox
        idle_s = self._host.clock.monotonic() - self.idle_since
        return Lent(
            instance=self.id,
            target=self.target,
            control=sandbox.control.fileno(),
            output=sandbox.output,
            peak=sandbox.peak_file(),
            idle_since=self._host.clock.now() - idle_s,
        )

    def take_back(self) -> bool:
        """It is idle, and nobody else speaks to it any more. False when it has died, and is to be buried first."""
        if self.state is not State.LENT:
            return False
        assert self._ends is not None
        self._keeper = None
        self._lifecycle.feed(Event.RETURNED)
        self.idle_since = self._host.clock.monotonic()
        self._ends.resume()
        if self._leaving:
            self.end(self._leaving)
        return True

    # By the place.

    def share(self, places: int, keeper: "Keeper[Self]") -> int:
        """Lend places of this instance, which is idle or has room for so many; the number of the share."""
        assert self._ends is not None
        if not self._turns.running and not self._shares.places:
            if self.state is State.FROZEN:
                self._thaw(self._ends)
            self._lifecycle.feed(Event.CALLED)
        self._keeper = keeper
        return self._shares.take(places)

    async def connect(self, number: int) -> tuple[socket.socket, int | None] | None:
        """A borrower's ends of a share: a socket, and a file that tells peak memory. None: it is not to be had."""
        assert self._ends is not None
        theirs = await self._shares.connect(number, self._ends.send_share)
        return (theirs, self._ends.sandbox.peak_file()) if theirs is not None else None

    def unshare(self: Self, number: int) -> None:
        """A share is given back; none of its calls runs."""
        if not self._shares.drop(number):
            return
        if self.state in (State.BUSY, State.DRAINING):
            if not self._turns.running and not self._shares.places:
                self._rest(self._host.clock.monotonic())
            elif self._turns.overdue or self._shares.stuck_ones:
                self._give_up()
            if self.state in (State.BUSY, State.IDLE):
                self._owner.relieved(self)

    def give_back_places(self: Self, number: int, places: int) -> None:
        """So many places of a share are not used any more."""
        self._shares.grow(number, -places)
        if self.has_room:
            self._owner.relieved(self)

    def abandon_share(self, number: int) -> bool:
        """Whose share it was is gone. Its places are free (True) when its calls have ended, and else the instance ends,
        after a time in which they may."""
        if self._shares.abandon(number):
            return True
        self._loop.call_later(GIVING_UP_S, self._still_held, number)
        return False

    def _still_held(self, number: int) -> None:
        if self._shares.holds(number):
            self.end("its front process ended")

    def stuck(self, number: int) -> None:
        """All calls of a share took too long, and go on."""
        self._shares.get_stuck(number)
        self._give_up()

    def _share_changed(self: Self, kind: int, number: int) -> None:
        if kind == frames.SHARED:
            self._shares.there(number)
        elif self._shares.closed(number) and self._keeper is not None:
            self._keeper.freed(self, number)
