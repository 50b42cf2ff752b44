"""What of one instance is lent by the place: sockets over which others run some of its calls, beside the engine's own.

Where an instance runs several calls at a time, it need not be lent as a whole: a *share* is a socket of its own to the
runtime, and a number of places, which count as calls that run. The engine keeps the control socket, the pipe, and the
rest of the places. Only books and sockets here; what follows for the instance is `instance`'s.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

# How long the runtime may take to say that it has the socket. One that does not is not asked again.
SHARED_S = 1.0
_TRIES = 50  # turns of the loop to wait for what is being sent before


@dataclass(slots=True)
class _Share:
    places: int
    there: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    stuck: bool = False
    closed: bool = False  # the runtime says that none of its calls runs any more
    abandoned: bool = False  # who had it is no more


class Shares:
    """Those of one instance, by number."""

    def __init__(self) -> None:
        self.possible = False  # whether the runtime takes any; as it said, and as was seen
        self.places = 0  # of all together; 0 where there are none
        self.stuck_ones = 0  # with nothing going on but calls that took too long
        self._held: dict[int, _Share] = {}
        self._number = 0

    @property
    def stuck(self) -> bool:
        """Whether nothing goes on at any of them but calls that took too long."""
        return self.stuck_ones == len(self._held)

    def take(self, places: int) -> int:
        """So many places are spoken for; the number of the share."""
        self._number += 1
        self._held[self._number] = _Share(places)
        self.places += places
        return self._number

    async def connect(self, number: int, send: Callable[[int, int], bool]) -> socket.socket | None:
        """The others' end of a share that was taken, once the runtime has its own; None when it has none in time.

        `send` passes the number and a descriptor, and says whether it could.
        """
        share = self._held[number]
        theirs, inner = socket.socketpair()
        with inner:
            for _ in range(_TRIES):
                if number not in self._held or send(number, inner.fileno()):
                    break
                await asyncio.sleep(0)
            else:
                theirs.close()
                return None
        try:
            async with asyncio.timeout(SHARED_S):
                await share.there
        except BaseException as error:
            theirs.close()
            self.possible = self.possible and not isinstance(error, TimeoutError)
            if isinstance(error, TimeoutError | ConnectionError):
                return None
            raise
        return theirs

    def there(self, number: int) -> None:
        """The runtime has its end."""
        share = self._held.get(number)
        if share is not None and not share.there.done():
            share.there.set_result(None)

    def grow(self, number: int, places: int) -> None:
        """So many more, or fewer."""
        if (share := self._held.get(number)) is not None:
            share.places += places
            self.places += places

    def get_stuck(self, number: int) -> None:
        share = self._held.get(number)
        if share is not None and not share.stuck:
            share.stuck = True
            self.stuck_ones += 1

    def closed(self, number: int) -> bool:
        """The runtime says that its socket is closed, and none of its calls runs; whether its places are free by that.

        Who has it gives it back by a word of his own, unless he is no more.
        """
        share = self._held.get(number)
        if share is None:
            return False
        share.closed = True
        return share.abandoned

    def abandon(self, number: int) -> bool:
        """Who had it is no more; whether its places are free by that."""
        share = self._held.get(number)
        if share is None:
            return False
        share.abandoned = True
        return share.closed

    def drop(self, number: int) -> bool:
        """Its places are free; False when they were before."""
        share = self._held.pop(number, None)
        if share is None:
            return False
        self.places -= share.places
        self.stuck_ones -= share.stuck
        if not share.there.done():
            share.there.set_exception(ConnectionError("the share was given up"))
            share.there.exception()  # whether anybody waits or not
        return True

    def holds(self, number: int) -> bool:
        return number in self._held

    def close(self) -> None:
        """The instance is dead."""
        for number in list(self._held):
            self.drop(number)
