"""The ways out of all sandboxes. Made by the composition root; `app.levels` asks for one for each sandbox that may
reach something, before its code runs."""

import asyncio

from mayfly.egress.book import Book
from mayfly.egress.destinations import Destinations, Resolve, SystemResolver
from mayfly.egress.outlet import Outlet
from mayfly.policy.egress import Egress
from mayfly.sandbox.api import Sandbox

MOST_LISTENERS = 8192


class Outlets:
    """See the module."""

    def __init__(self, book: Book, resolve: Resolve | None = None) -> None:
        """`resolve`: instead of the machine's own way to look up names."""
        self._own = SystemResolver() if resolve is None else None
        self._destinations = Destinations(resolve or self._own or SystemResolver())
        self._book = book
        self._left = MOST_LISTENERS
        self._watching: dict[asyncio.Task[None], Outlet] = {}

    async def attach(self, sandbox: Sandbox, allowed: Egress, owner: str) -> None:
        """Let a sandbox reach what is allowed, until it ends; what `Outlet.open` raises, and nothing is open then."""
        outlet = Outlet(sandbox, allowed, owner, self._destinations, self._book, self)
        try:
            await outlet.open()
        except BaseException:
            outlet.close()
            raise
        task = asyncio.create_task(_until_the_end(sandbox, outlet), name="end of a way out")
        self._watching[task] = outlet
        task.add_done_callback(self._watching.pop)

    def take(self, count: int) -> bool:
        if count > self._left:
            return False
        self._left -= count
        return True

    def give_back(self, count: int) -> None:
        self._left += count

    async def close(self) -> None:
        """End every way out."""
        tasks = list(self._watching)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._own is not None:
            self._own.close()


async def _until_the_end(sandbox: Sandbox, outlet: Outlet) -> None:
    try:
        await sandbox.exited()
    finally:
        outlet.close()
