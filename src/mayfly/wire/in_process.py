"""`ports.Operations`: any operation called inside the process, checked and answered like one from outside.

Input is validated by the same rules as on the wire; the reply goes through no codec, but is made to look as if it had:
absent members instead of None, plain dicts and lists, bytes read out of streams are left to the caller.
"""

from collections.abc import Collection, Mapping
from typing import Any

from mayfly.services.contract import NotImplementedOperationError, RequestContext, Service, ServiceError
from mayfly.wire.operations import Catalogue, fill_tokens


class InProcessOperations:
    """Calls handlers directly."""

    def __init__(self, services: Mapping[str, Service], catalogue: Catalogue) -> None:
        self._handlers = {name: service.operations for name, service in services.items()}
        self._catalogue = catalogue

    def services(self) -> Collection[str]:
        """The services that have handlers, by botocore's names."""
        return self._handlers.keys()

    def implemented(self, service: str) -> Collection[str]:
        """The operations of a service that have handlers."""
        return self._handlers[service].keys()

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See `ports.Operations`."""
        try:
            wire = self._catalogue.service(service)
            compiled = wire.operation(operation, wire.protocol)
        except KeyError as error:
            raise ServiceError(
                "UnknownOperationException", f"There is no operation {operation} of {service}.", status=404
            ) from error
        handler = self._handlers.get(service, {}).get(operation)
        if handler is None:
            raise NotImplementedOperationError(service, operation)
        given = {key: value for key, value in params.items() if value is not None}
        fill_tokens(compiled, given)
        compiled.validate(given)
        reply: dict[str, Any] = _normal(await handler(context, given) or {})
        return reply


def _normal(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _normal(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_normal(item) for item in value]
    return value
