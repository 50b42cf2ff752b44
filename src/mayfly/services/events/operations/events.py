"""PutEvents."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, operation
from mayfly.services.events import entries, errors
from mayfly.services.events.catalog import Catalog, LoadedBus
from mayfly.services.events.entries import Refusal
from mayfly.services.events.model import BusKey, Event
from mayfly.services.events.names import bus_key
from mayfly.services.events.router import Router
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events


TRACE_HEADER = "x-amzn-trace-id"


class EventOperations:
    """Entries are taken or refused one by one; those that are taken are one commit, with what local targets got."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog, router: Router, new_id: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._router = router
        self._new_id = new_id

    @operation("PutEvents")
    async def put(self, context: RequestContext, request: "events.PutEventsRequestTypeDef") -> dict[str, Any]:
        """An entry for a bus that is not there is taken, and reaches nobody, as on AWS."""
        if "EndpointId" in request:
            raise errors.invalid("Parameter EndpointId is not valid. Reason: Mayfly has no global endpoints.")
        entries.check_size(request["Entries"])
        keys = [bus_key(context, entry.get("EventBusName")) for entry in request["Entries"]]
        buses = await self._buses(keys)
        trace = context.headers.get(TRACE_HEADER)
        taken: list[tuple[BusKey, Event]] = []
        results: list[dict[str, str]] = []
        for key, entry in zip(keys, request["Entries"], strict=True):
            outcome = entries.event_of(entry, key, self._new_id(), self._clock.now(), trace)
            bus = buses[key]
            if isinstance(outcome, Event) and bus is not None:
                if bus.denies(context.principal.arn, context.account, key.arn):
                    outcome = Refusal("AccessDeniedException", f"The policy of {key.arn} denies events:PutEvents.")
                elif not bus.is_idle():
                    taken.append((key, outcome))
            results.append(_result(outcome))

        def body(tx: Tx) -> None:
            for key, event in taken:
                self._router.route(tx, key, event)

        if taken:
            await self._store.write(body)
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    async def _buses(self, keys: Iterable[BusKey]) -> dict[BusKey, LoadedBus | None]:
        """The buses in memory; those that are not there yet are read here, and not in the thread that writes."""
        found = {key: self._catalog.peek(key) for key in keys}
        absent = [key for key, bus in found.items() if bus is None]
        if absent:

            def body(reader: Reader) -> dict[BusKey, LoadedBus | None]:
                return {key: self._catalog.bus(reader, key) for key in absent}

            found |= await self._store.read(body)
        return found


def _result(outcome: Event | Refusal) -> dict[str, str]:
    if isinstance(outcome, Refusal):
        return {"ErrorCode": outcome.code, "ErrorMessage": outcome.message}
    return {"EventId": outcome.id}
