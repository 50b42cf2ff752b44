"""Archives: create, update, describe, list, delete."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.events import errors, paging, records
from mayfly.services.events import statements as sql
from mayfly.services.events.archives import ArchiveKeeper
from mayfly.services.events.catalog import Catalog
from mayfly.services.events.model import Archive, BusKey
from mayfly.services.events.names import archive_arn, bus_of_arn
from mayfly.services.events.operations.absent import refuse_keys
from mayfly.services.events.operations.rules import checked_pattern
from mayfly.services.events.records import Owner, StoredArchive
from mayfly.settings import EventLimits
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events


def bus_of_source(context: RequestContext, arn: str) -> BusKey:
    """The bus that an archive is of."""
    key = bus_of_arn(arn)
    if key is None or (key.account, key.region) != (context.account, context.region):
        raise errors.invalid("Parameter EventSourceArn is not valid. Reason: Must contain an event bus ARN.")
    return key


class ArchiveOperations:
    """An archive keeps events from its creation on; there is no moment at which it is being made."""

    def __init__(
        self, store: Store, clock: Clock, catalog: Catalog, keeper: ArchiveKeeper, limits: EventLimits
    ) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._keeper = keeper
        self._limits = limits

    @operation("CreateArchive")
    async def create(self, context: RequestContext, request: "events.CreateArchiveRequestTypeDef") -> dict[str, Any]:
        refuse_keys(request)
        name, key = request["ArchiveName"], bus_of_source(context, request["EventSourceArn"])
        pattern = request.get("EventPattern") or None
        if pattern is not None:
            checked_pattern(pattern)
        archive = Archive(self._clock.now(), request.get("Description"), pattern, request.get("RetentionDays", 0))

        def body(tx: Tx) -> None:
            records.bus_of(tx, key)
            if records.find_archive(tx, Owner(key.account, key.region), name) is not None:
                raise errors.exists("Archive", name)
            row = tx.one(sql.COUNT_ARCHIVES, records.owner(key))
            if row is not None and row[0] >= self._limits.archives:
                raise errors.limit()
            serial = records.insert_archive(tx, key, name, archive)
            tx.after_commit(lambda: self._catalog.changed(key, lambda loaded: loaded.set_archive(serial, pattern)))

        await self._store.write(body)
        return _answer(context, name, archive)

    @operation("UpdateArchive")
    async def update(self, context: RequestContext, request: "events.UpdateArchiveRequestTypeDef") -> dict[str, Any]:
        refuse_keys(request)
        if not {"Description", "EventPattern", "RetentionDays"} & request.keys():
            raise errors.invalid("At least one of EventPattern, RetentionDays or Description must be provided.")
        name, owner = request["ArchiveName"], Owner(context.account, context.region)
        if request.get("EventPattern"):
            checked_pattern(request["EventPattern"])

        def body(tx: Tx) -> Archive:
            stored = records.archive_of(tx, owner, name)
            before = stored.archive
            archive = msgspec.structs.replace(
                before,
                description=request.get("Description", before.description),
                pattern=request.get("EventPattern", before.pattern) or None,
                retention_days=request.get("RetentionDays", before.retention_days),
            )
            records.replace_archive(tx, owner, name, archive)
            key = BusKey(*owner, stored.bus)
            tx.after_commit(
                lambda: self._catalog.changed(key, lambda loaded: loaded.set_archive(stored.serial, archive.pattern))
            )
            return archive

        return _answer(context, name, await self._store.write(body))

    @operation("DescribeArchive")
    async def describe(
        self, context: RequestContext, request: "events.DescribeArchiveRequestTypeDef"
    ) -> dict[str, Any]:
        owner = Owner(context.account, context.region)
        stored = await self._store.read(lambda reader: records.archive_of(reader, owner, request["ArchiveName"]))
        shown = {"ArchiveArn": archive_arn(context, stored.name), **_shown(owner, stored)}
        more = {"Description": stored.archive.description, "EventPattern": stored.archive.pattern}
        return shown | {name: value for name, value in more.items() if value is not None}

    @operation("ListArchives")
    async def list_archives(
        self, context: RequestContext, request: "events.ListArchivesRequestTypeDef"
    ) -> dict[str, Any]:
        owner, prefix = Owner(context.account, context.region), request.get("NamePrefix", "")
        source = request.get("EventSourceArn")
        bus = None if source is None else bus_of_source(context, source)
        wanted = request.get("State", "ENABLED") == "ENABLED"
        after, most = paging.after(request), paging.limit(request)

        def body(reader: Reader) -> list[StoredArchive]:
            if bus is not None:
                records.bus_of(reader, bus)
            return paging.filtered(
                lambda start, count: records.list_archives(reader, owner, start, prefix, count),
                lambda stored: wanted and (bus is None or stored.bus == bus.name),
                lambda stored: stored.name,
                after,
                most,
            )

        page, more = paging.cut(await self._store.read(body), most, lambda stored: stored.name)
        return {"Archives": [_shown(owner, stored) for stored in page], **more}

    @operation("DeleteArchive")
    async def delete(self, context: RequestContext, request: "events.DeleteArchiveRequestTypeDef") -> dict[str, Any]:
        """The archive is gone at once, its events are removed at leisure."""
        name, owner = request["ArchiveName"], Owner(context.account, context.region)

        def body(tx: Tx) -> None:
            stored = records.archive_of(tx, owner, name)
            tx.run(sql.DELETE_ARCHIVE, {**records.owner(owner), "name": name})
            tx.run(sql.PUT_GARBAGE, {"archive": stored.serial})
            key = BusKey(*owner, stored.bus)
            tx.after_commit(lambda: self._catalog.changed(key, lambda loaded: loaded.drop_archive(stored.serial)))
            tx.after_commit(self._keeper.deleted)

        await self._store.write(body)
        return {}


def _answer(context: RequestContext, name: str, archive: Archive) -> dict[str, Any]:
    return {
        "ArchiveArn": archive_arn(context, name),
        "State": "ENABLED",
        "CreationTime": utc(archive.created_at),
    }


def _shown(owner: Owner, stored: StoredArchive) -> dict[str, Any]:
    return {
        "ArchiveName": stored.name,
        "EventSourceArn": BusKey(*owner, stored.bus).arn,
        "State": "ENABLED",
        "RetentionDays": stored.archive.retention_days,
        "SizeBytes": stored.size_bytes,
        "EventCount": stored.event_count,
        "CreationTime": utc(stored.archive.created_at),
    }
