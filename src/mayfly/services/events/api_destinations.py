"""Connections and API destinations, built: their operations, their deliveries, their background work.

Made by the composition root, which hands `deliveries` and `operations` to the service.
"""

from collections.abc import Callable

from mayfly.clock import Clock
from mayfly.outgoing.api import Sender
from mayfly.services.events.connection_authorizer import Authorizer
from mayfly.services.events.connection_tokens import Tokens
from mayfly.services.events.destination_deliveries import DestinationDeliveries
from mayfly.services.events.operations.connections import ConnectionOperations
from mayfly.services.events.operations.destinations import DestinationOperations
from mayfly.services.ports import Vault
from mayfly.store.api import Store


class ApiDestinations:
    """See the module."""

    def __init__(self, store: Store, vault: Vault, sender: Sender, clock: Clock, new_id: Callable[[], str]) -> None:
        self._tokens = tokens = Tokens(sender, clock)
        self._authorizer = Authorizer(store, vault, tokens, clock)
        self.deliveries = DestinationDeliveries(store, vault, sender, tokens, clock)
        self.operations: tuple[object, ...] = (
            ConnectionOperations(store, vault, self._authorizer, clock, new_id),
            DestinationOperations(store, clock, new_id),
        )

    async def run(self) -> None:
        """Authorize connections, until cancelled."""
        try:
            await self._authorizer.run()
        finally:
            await self._tokens.close()
