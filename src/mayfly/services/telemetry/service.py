"""Logs, built: the port that functions write through, and the task that enforces retention. `on_the_wire` has the
operations."""

import asyncio
import logging
from contextlib import suppress

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.services.ports import EventTargets, MetricSink
from mayfly.services.telemetry.book import Book
from mayfly.services.telemetry.event_targets import LogEventTargets
from mayfly.services.telemetry.reactions import Reactions
from mayfly.store.api import Store

RETENTION_INTERVAL_S = 3600.0

_log = logging.getLogger(__name__)


class LogsService:
    """`book` is `ports.Logs`; its journal is attached by the composition root."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.book = Book(store, clock)
        self.event_targets = LogEventTargets(store, self.book, clock)
        self._expiry: asyncio.Task[None] | None = None

    def attach(self, targets: EventTargets, metrics: MetricSink, account: str, region: str) -> None:
        """Say what filters hand events on to, and measure by: which is built after logs."""
        self.book.react(Reactions(targets, metrics, account, region))

    async def start(self) -> None:
        """Begin to enforce retention."""
        self._expiry = asyncio.get_running_loop().create_task(self._keep_expiring(), name="log-retention")

    async def stop(self) -> None:
        """Stop the task that `start` made."""
        if self._expiry is not None:
            self._expiry.cancel()
            with suppress(asyncio.CancelledError):
                await self._expiry

    async def _keep_expiring(self) -> None:
        while True:
            try:
                await self.book.expire()
            except MayflyError as error:
                _log.warning("old log events were not dropped this time: %s", error)
            await asyncio.sleep(RETENTION_INTERVAL_S)
