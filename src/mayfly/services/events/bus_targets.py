"""`ports.EventTargets` for buses, and `ports.PlatformEvents`: events that come from inside the platform."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.events import entries, records
from mayfly.services.events.catalog import Catalog
from mayfly.services.events.errors import invalid, no_bus
from mayfly.services.events.http_targets import HttpTargets
from mayfly.services.events.model import DEFAULT_BUS, BusKey, Event
from mayfly.services.events.names import bus_of_arn, is_api_destination
from mayfly.services.events.router import Router
from mayfly.services.ports import PLAIN, TargetOptions
from mayfly.store.api import Store, Tx

_encode = msgspec.json.Encoder().encode


class BusTargets:
    """Buses as targets of schedules, pipes and everybody else who sends events."""

    def __init__(
        self, store: Store, router: Router, http: HttpTargets, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._store = store
        self._router = router
        self._http = http
        self._clock = clock
        self._new_id = new_id

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        """`ServiceError` unless there is such a bus, or such an API destination."""
        if is_api_destination(arn):
            if not await self._store.read(lambda reader: self._http.exists(reader, arn)):
                raise ServiceError("ResourceNotFoundException", f"API destination {arn} does not exist.")
            return
        key = _key(arn)
        await self._store.read(lambda reader: records.bus_of(reader, key))

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        """Put one event on a bus: what is sent is its detail if the options name a source and a type, else all of it.

        An event from elsewhere keeps what it says of itself but gets an id, account, region and time where it has none.
        """
        key = _key(arn)
        if records.find_bus(tx, key) is None:
            raise no_bus(key.name)
        self._router.route(tx, key, self._event(key, event, options))

    def _event(self, key: BusKey, event: bytes, options: TargetOptions) -> Event:
        try:
            fields = msgspec.json.decode(event)
        except (msgspec.DecodeError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise invalid("What is sent to an event bus is a JSON object.")
        now = self._clock.now()
        if options.source is not None and options.detail_type is not None:
            return entries.make_event(
                key, self._new_id(), now, options.source, options.detail_type, event, options.resources
            )
        source, kind, detail = fields.get("source"), fields.get("detail-type"), fields.get("detail")
        if not (isinstance(source, str) and isinstance(kind, str) and isinstance(detail, dict)):
            raise invalid(
                "An event for an event bus has a source, a detail-type and a detail, or is sent with a source."
            )
        resources = [one for one in fields.get("resources", ()) if isinstance(one, str)]
        id_ = fields.get("id")
        return entries.make_event(
            key,
            id_ if isinstance(id_, str) else self._new_id(),
            _moment(fields.get("time"), now),
            source,
            kind,
            _encode(detail),
            resources,
        )


def _moment(time: Any, now: float) -> float:
    """The time that an event says it has, if it says one."""
    try:
        at = datetime.fromisoformat(time)
    except (TypeError, ValueError):
        return now
    return at.timestamp() if at.tzinfo is not None else now


def _key(arn: str) -> BusKey:
    key = bus_of_arn(arn)
    if key is None:
        raise invalid(f"{arn} is no event bus.")
    return key


class DefaultBus:
    """`ports.PlatformEvents`."""

    def __init__(
        self, catalog: Catalog, router: Router, clock: Clock, new_id: Callable[[], str], account: str, region: str
    ) -> None:
        self._catalog = catalog
        self._router = router
        self._clock = clock
        self._new_id = new_id
        self._key = BusKey(account, region, DEFAULT_BUS)

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        """Put an event of the platform on the default bus, for next to nothing while that has no rules."""
        bus = self._catalog.bus(tx, self._key)
        if bus is None or bus.is_idle():
            return
        event = entries.make_event(
            self._key, self._new_id(), self._clock.now(), source, detail_type, _encode(detail), resources
        )
        self._router.route(tx, self._key, event)
