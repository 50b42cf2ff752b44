"""Time as a parameter: whoever needs the time is handed a `Clock`; tests hand in one that they move themselves."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two readings of time: wall-clock for what is stored and shown, monotonic for what is measured."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""


class SystemClock:
    """The machine's own clocks. A call reads them a dozen times, so there is no function of ours in between."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class ManualClock:
    """A clock that stands still until `advance` moves it; both readings move together."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both readings forward by `seconds` (≥ 0)."""
        if seconds < 0:
            raise ValueError(f"time only moves forward, not by {seconds} s")
        self._now += seconds
        self._monotonic += seconds


def utc(timestamp: float) -> datetime:
    """The aware UTC datetime of a Unix time in seconds."""
    return datetime.fromtimestamp(timestamp, UTC)


def iso_millis(timestamp: float) -> str:
    """A Unix time in seconds as `2026-01-31T12:00:00.000Z`, the form that AWS events carry."""
    return utc(timestamp).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(timestamp * 1000) % 1000:03d}Z"
