"""What happens at a time."""

from typing import Protocol

from mayfly.store.api import Tx


class Ticks(Protocol):
    """Given by whoever has something happen on schedule, used by the ticker."""

    def tick(self, tx: Tx, key: str, at: float) -> None:
        """The tick of `key` at `at` (Unix seconds, as scheduled), once for each, in the transaction that moves the
        ticker on. Never raises `ServiceError`; a key that nobody knows any more does nothing.
        """


class Ticker(Protocol):
    """Given by schedules, used by events: what comes due again and again, by the clock, over restarts."""

    def check(self, expression: str) -> None:
        """`ValueError` unless `expression` is `rate(...)` or `cron(...)` as rules of EventBridge have it (UTC)."""

    def put(self, tx: Tx, key: str, expression: str) -> None:
        """Let `key` tick by `expression` from now on, in place of what it ticked by before."""

    def remove(self, tx: Tx, key: str) -> None:
        """Let `key` tick no more. Idempotent."""
