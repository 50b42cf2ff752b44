"""`ports.Operations`: any operation called inside the process, checked and answered like one from outside.

Input is validated by the same rules as on the wire; the reply goes through no codec, but is made to look as if it had:
absent members instead of None, plain dicts and lists, bytes read out of streams are left to the caller.
"""

from collections.abc import Collection, Mapping
from typing import Any

from mayfly.services.contract import (
    Handler,
    NotImplementedOperationError,
    RequestContext,
    ServiceError,
    SomeService,
    built,
)
from mayfly.wire.operations import Catalogue, Operation, fill_tokens, loaded


class InProcessOperations:
    """Calls handlers directly."""

    def __init__(self, services: Mapping[str, SomeService], catalogue: Catalogue) -> None:
        self._services = services
        self._handlers: dict[str, Mapping[str, Handler]] = {}  # of those that were asked for something
        self._catalogue = catalogue

    def services(self) -> Collection[str]:
        """The services that have handlers, by botocore's names."""
        return self._services.keys()

    async def implemented(self, service: str) -> Collection[str]:
        """The operations of a service that have handlers."""
        return (await self._built(service)).keys()

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See `ports.Operations`."""
        try:
            compiled = await loaded(lambda: self._compiled(service, operation))
        except KeyError as error:
            raise ServiceError(
                "UnknownOperationException", f"There is no operation {operation} of {service}.", status=404
            ) from error
        handler = (await self._built(service)).get(operation) if service in self._services else None
        if handler is None:
            raise NotImplementedOperationError(service, operation)
        given = {key: value for key, value in params.items() if value is not None}
        fill_tokens(compiled, given)
        compiled.validate(given)
        reply: dict[str, Any] = _normal(await handler(context, given) or {})
        return reply

    async def _built(self, service: str) -> Mapping[str, Handler]:
        handlers = self._handlers.get(service)
        if handlers is None:
            handlers = self._handlers[service] = (await built(self._services[service])).operations
        return handlers

    def _compiled(self, service: str, operation: str) -> Operation:
        wire = self._catalogue.service(service)
        return wire.operation(operation, wire.protocol)


def _normal(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _normal(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_normal(item) for item in value]
    return value
