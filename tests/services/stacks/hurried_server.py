"""`mayfly` whose wall clock goes a minute ahead with each SIGUSR1, for what only minutes bring: run it as a program."""

import signal
import time

from mayfly.app import foundations
from mayfly.cli.entry import main
from mayfly.clock import SystemClock
from mayfly.ticker import ticker

MINUTE_S = 60.0


class HurriedClock(SystemClock):
    """Told by a signal that a minute is over. What is measured goes on as it does."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        signal.signal(signal.SIGUSR1, self._hurry)

    def now(self) -> float:
        return time.time() + self._ahead_s

    def _hurry(self, *_: object) -> None:
        self._ahead_s += MINUTE_S


if __name__ == "__main__":
    foundations.SystemClock = HurriedClock  # type: ignore[attr-defined]  # in this process alone
    ticker.LOOK_S = 0.5
    main()
