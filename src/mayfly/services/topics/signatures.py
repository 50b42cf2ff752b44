"""The platform's signer once it is there: loaded, or made, in the background when the first topic needs it.

What signs takes a moment to import, and a key tenths of a second to make, both in a thread; a server without topics
does neither.
"""

import asyncio
import importlib
from typing import Any, Protocol

from mayfly.clock import Clock
from mayfly.store.api import Store, Vault

_MODULE = "mayfly.services.topics.signing"


class Signer(Protocol):
    """See `signing.Signer`."""

    @property
    def certificate(self) -> bytes: ...

    @property
    def name(self) -> str: ...

    def sign(self, version: str, text: str) -> str: ...


class Signatures:
    """Gives the signer."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._opening: asyncio.Task[Signer] | None = None
        self.at_hand: Signer | None = None  # once it is there; for whoever cannot wait

    async def ready(self) -> Signer:
        """The signer, made if there was none."""
        if self.at_hand is not None:
            return self.at_hand
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(self._open(), name="topics-signer")
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._opening is not None:
            await asyncio.wait((self._opening,))

    async def _open(self) -> Signer:
        signing: Any = await asyncio.to_thread(importlib.import_module, _MODULE)
        signer: Signer | None = await signing.stored_signer(self._store, self._vault)
        if signer is None:
            made = await asyncio.to_thread(signing.make_pair, self._clock.now())
            signer = await signing.store_signer(self._store, self._vault, made)
        self.at_hand = signer
        return signer
