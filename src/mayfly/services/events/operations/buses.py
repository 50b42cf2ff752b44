"""Event buses: create, update, describe, list, delete."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.events import errors, paging, records
from mayfly.services.events import statements as sql
from mayfly.services.events.catalog import Catalog
from mayfly.services.events.model import DEFAULT_BUS, Bus, BusKey
from mayfly.services.events.names import bus_key
from mayfly.services.events.operations.absent import refuse_keys, refuse_logging
from mayfly.services.events.operations.tags import checked_tags
from mayfly.services.events.records import Owner
from mayfly.services.events.targets import dead_letter_arn
from mayfly.settings import EventLimits
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events


class BusOperations:
    """The default bus is always there, and cannot be deleted."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog, limits: EventLimits) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._limits = limits

    @operation("CreateEventBus")
    async def create(self, context: RequestContext, request: "events.CreateEventBusRequestTypeDef") -> dict[str, Any]:
        name = request["Name"]
        if "EventSourceName" in request:
            raise errors.no_event_source(request["EventSourceName"])
        if "/" in name:
            raise errors.invalid("Event bus name must not contain '/'.")
        refuse_keys(request)
        refuse_logging(request)
        key, now = bus_key(context, name), self._clock.now()
        dead_letters = dead_letter_arn(request.get("DeadLetterConfig", {}), name)
        bus = Bus(now, now, request.get("Description"), None, dead_letters)
        tags = checked_tags(request.get("Tags", ()))

        def body(tx: Tx) -> None:
            if records.find_bus(tx, key) is not None:
                raise errors.exists("Event bus", name)
            row = tx.one(sql.COUNT_BUSES, records.owner(key))
            if row is not None and row[0] >= self._limits.buses:
                raise errors.limit()
            records.put_bus(tx, key, bus)
            records.put_tags(tx, key.arn, tags)

        await self._store.write(body)
        return {"EventBusArn": key.arn, **_settings(bus)}

    @operation("UpdateEventBus")
    async def update(self, context: RequestContext, request: "events.UpdateEventBusRequestTypeDef") -> dict[str, Any]:
        """Change what is given; the rest stays."""
        refuse_keys(request)
        refuse_logging(request)
        key = bus_key(context, request.get("Name"))
        config = request.get("DeadLetterConfig")
        dead_letters = dead_letter_arn(config or {}, key.name)

        def body(tx: Tx) -> Bus:
            bus = self._touched(records.bus_of(tx, key))
            bus = msgspec.structs.replace(bus, description=request.get("Description", bus.description))
            if config is not None:
                bus = msgspec.structs.replace(bus, dead_letter_arn=dead_letters)
            records.put_bus(tx, key, bus)
            return bus

        return {"Arn": key.arn, "Name": key.name, **_settings(await self._store.write(body))}

    @operation("DescribeEventBus")
    async def describe(
        self, context: RequestContext, request: "events.DescribeEventBusRequestTypeDef"
    ) -> dict[str, Any]:
        key = bus_key(context, request.get("Name"))
        bus = await self._store.read(lambda reader: records.bus_of(reader, key))
        return {**_described(key, bus), **_settings(bus)}

    @operation("ListEventBuses")
    async def list_buses(
        self, context: RequestContext, request: "events.ListEventBusesRequestTypeDef"
    ) -> dict[str, Any]:
        owner, prefix = Owner(context.account, context.region), request.get("NamePrefix", "")
        after, most = paging.after(request), paging.limit(request)

        def body(reader: Reader) -> list[tuple[str, Bus]]:
            found = records.list_buses(reader, owner, after, prefix, most)
            if after < DEFAULT_BUS and DEFAULT_BUS.startswith(prefix) and DEFAULT_BUS not in dict(found):
                found = sorted([*found, (DEFAULT_BUS, Bus(0.0, 0.0))], key=lambda named: named[0])[: most + 1]
            return found

        page, more = paging.cut(await self._store.read(body), most, lambda named: named[0])
        return {"EventBuses": [_described(BusKey(*owner, name), bus) for name, bus in page], **more}

    @operation("DeleteEventBus")
    async def delete(self, context: RequestContext, request: "events.DeleteEventBusRequestTypeDef") -> dict[str, Any]:
        key = bus_key(context, request["Name"])
        if key.name == DEFAULT_BUS:
            raise errors.invalid("Cannot delete event bus default.")

        def body(tx: Tx) -> None:
            records.bus_of(tx, key)
            row = tx.one(sql.COUNT_RULES, records.params(key))
            if row is not None and row[0]:
                raise errors.invalid(f"Event bus {key.name} can't be deleted since it has rules.")
            tx.run(sql.DELETE_BUS, records.params(key))
            tx.run(sql.DELETE_TAGS, {"arn": key.arn})
            for statement in sql.DELETE_WITH_BUS:
                tx.run(statement, records.params(key))
            tx.after_commit(lambda: self._catalog.gone(key))

        await self._store.write(body)
        return {}

    def _touched(self, bus: Bus) -> Bus:
        now = self._clock.now()
        return msgspec.structs.replace(bus, created_at=bus.created_at or now, modified_at=now)


def _settings(bus: Bus) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if bus.description is not None:
        shown["Description"] = bus.description
    if bus.dead_letter_arn is not None:
        shown["DeadLetterConfig"] = {"Arn": bus.dead_letter_arn}
    return shown


def _described(key: BusKey, bus: Bus) -> dict[str, Any]:
    shown: dict[str, Any] = {"Name": key.name, "Arn": key.arn}
    if bus.description is not None:
        shown["Description"] = bus.description
    if bus.policy is not None:
        shown["Policy"] = bus.policy
    if bus.created_at:
        shown |= {"CreationTime": utc(bus.created_at), "LastModifiedTime": utc(bus.modified_at)}
    return shown
