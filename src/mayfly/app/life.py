"""What a platform has opened and runs in the background, ended in reverse order: on a stop, or a start that fails."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress


class Life:
    """A stack of what is to be ended."""

    def __init__(self, cleanup: AsyncExitStack) -> None:
        self._cleanup = cleanup

    def at_end(self, end: Callable[[], object]) -> None:
        """Call `end` then."""
        self._cleanup.callback(end)

    def await_at_end(self, end: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Await `end(*arguments)` then."""
        self._cleanup.push_async_callback(end, *arguments)

    async def start(self, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
        """Start a service now, and stop it then."""
        await start()
        self._cleanup.push_async_callback(stop)

    def background(self, work: Awaitable[None], name: str) -> None:
        """Run `work` until then."""
        task = asyncio.ensure_future(work)
        if isinstance(task, asyncio.Task):
            task.set_name(name)

        async def end() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._cleanup.push_async_callback(end)
