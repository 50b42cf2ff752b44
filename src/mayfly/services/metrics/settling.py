"""What readers wait for, so that they see what was measured before they asked."""

from collections.abc import Awaitable, Callable

Settle = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Where nothing is measured elsewhere."""
