"""Capacity providers, built. Called by `features`."""

from collections.abc import Sequence

from mayfly.services.functions.parts import Parts


class Providers:
    """A `Feature`."""

    def __init__(self, parts: Parts) -> None:
        self._operations = parts.providers
        self.operations: Sequence[object] = (parts.providers,)

    async def start(self) -> None:
        await self._operations.tell_all()

    async def stop(self, grace_s: float) -> None:
        """Nothing goes on."""
