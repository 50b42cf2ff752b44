"""`ports.DestinationCalls` on the API destinations of event buses."""

from collections.abc import Mapping, Sequence

from mayfly.services.contract import ServiceError
from mayfly.services.events.destination_deliveries import DestinationDeliveries
from mayfly.services.events.http_targets import HttpDelivery, HttpTargetError


class DestinationCalls:
    """Makes attempts for services that are no bus."""

    def __init__(self, destinations: DestinationDeliveries) -> None:
        self._destinations = destinations

    async def deliver(
        self,
        arn: str,
        body: bytes,
        path_values: Sequence[str],
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> bytes:
        """See `ports.DestinationCalls`."""
        try:
            return await self._destinations.ask(arn, HttpDelivery(body, tuple(path_values), headers, query))
        except HttpTargetError as error:
            raise ServiceError(error.code, error.message) from error
