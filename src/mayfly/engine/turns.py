"""The calls that an instance has: those that it runs, by number, and those that were sent ahead and wait behind them.

Only books: what follows for the instance, its sandbox and its callers is `instance`'s.
"""

from collections import deque

from mayfly.engine.turn import Turn

_MOST_NUMBER = 2**32 - 1  # the next one is 1 again; 0 is no call
_TIMER_S = 0.001  # by how much a timer may be early


class Turns:
    """Those of one instance. A call that took too long stays here, `overdue`, until its code has ended, too."""

    def __init__(self) -> None:
        self.running: dict[int, Turn] = {}  # by number
        self.waiting: deque[tuple[int, Turn]] = deque()  # sent ahead and not begun, with their numbers
        self.overdue = 0  # how many of those that run
        self._never_began: list[Turn] = []
        self._unheard = 0
        self._number = 0  # of the latest

    def reserve(self) -> int:
        """The number of a call that begins later."""
        return self._next()

    def begin(self, turn: Turn, reserved: int = 0) -> int:
        """It runs from now on; its number, which may have been `reserved`."""
        number = reserved or self._next()
        self.running[number] = turn
        return number

    def wait(self, turn: Turn) -> int:
        """It begins when those before it have ended; its number."""
        number = self._next()
        self.waiting.append((number, turn))
        return number

    def begin_next(self) -> Turn:
        """The first of those that wait runs from now on."""
        number, turn = self.waiting.popleft()
        self.running[number] = turn
        return turn

    def end(self, number: int) -> None:
        """One that ran does no more."""
        if self.running.pop(number).overdue:
            self.overdue -= 1

    def give_up(self, turn: Turn) -> None:
        """One that runs took too long."""
        turn.overdue = True
        self.overdue += 1

    def never_began(self, number: int) -> None:
        """The instance is at its end, and had not been asked for that one yet."""
        turn = self.running.pop(number, None)
        if turn is not None:
            self._never_began.append(turn)

    def unheard(self) -> None:
        """An answer came when the fate of the instance was sealed: it counts for nothing, but that a call had ended."""
        self._unheard += 1

    @property
    def only(self) -> Turn | None:
        """The one that runs, if no other one does."""
        return next(iter(self.running.values())) if len(self.running) == 1 else None

    @property
    def only_overdue(self) -> bool:
        """Whether something runs, all of which took too long."""
        return 0 < self.overdue == len(self.running)

    def due(self, now: float) -> list[tuple[int, Turn]]:
        """Those whose time is over, by the loop's time as a timer tells it, with their numbers."""
        now += _TIMER_S
        return [(number, turn) for number, turn in self.running.items() if turn.due_at <= now and not turn.overdue]

    def next_due_at(self) -> float | None:
        """When the time of the next one is over."""
        return min((turn.due_at for turn in self.running.values() if not turn.overdue), default=None)

    def close(self, *, dead: bool) -> tuple[list[Turn], list[Turn]]:
        """The instance is at its end: those that had begun and were not answered, and those that had not begun.

        As many of those that waited have begun as answers were not heard; all may have, where it is not known to be
        `dead`.
        """
        begun = [turn for turn in self.running.values() if not turn.overdue]
        waited = [turn for _, turn in self.waiting]
        never, self._never_began = self._never_began, []
        self.running.clear()
        self.waiting.clear()
        more = self._unheard if dead else len(waited)
        return begun + waited[:more], never + waited[more:]

    def _next(self) -> int:
        self._number = self._number % _MOST_NUMBER + 1
        return self._number
