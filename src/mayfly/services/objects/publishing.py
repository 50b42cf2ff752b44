"""The transactions that make a write visible: the object's row, the links of its blobs, its events, in one commit.

Every operation that changes an object goes through here, so the rule that an event is accepted together with the
change that it tells of is kept in one place. Functions of a `Tx`: called inside store bodies.
"""

import logging
from dataclasses import dataclass, replace

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.objects import (
    bus_events,
    catalog,
    conditions,
    notifications,
    upload_catalog,
    version_catalog,
    versioning,
)
from mayfly.services.objects.conditions import UNCONDITIONAL, Conditions
from mayfly.services.objects.model import Bucket, DeleteMarker, Part, Removal, StoredObject, Tags
from mayfly.services.objects.notifications import Happening
from mayfly.services.ports import UNHEARD, EventTargets, PlatformEvents, Source
from mayfly.store.api import Blobs, Tx

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publisher:
    """What a write needs of the world besides its transaction."""

    blobs: Blobs
    targets: EventTargets
    clock: Clock
    events: PlatformEvents = UNHEARD

    def put(
        self,
        tx: Tx,
        context: RequestContext,
        bucket: Bucket,
        stored: StoredObject,
        *,
        event: str,
        write_conditions: Conditions = UNCONDITIONAL,
    ) -> StoredObject:
        """Make `stored` the object of its key, and name its version; it as it became.

        PreconditionFailed or NoSuchKey when the conditions do not hold.
        """
        current = catalog.find_object(tx, bucket.name, stored.key)
        conditions.check_write(write_conditions, current)
        if stored.digest:
            self.blobs.link(tx, stored.digest, link_owner(stored.version))
        position, version_id = self._number(tx, bucket, stored.key, current)
        stored = msgspec.structs.replace(stored, position=position, version_id=version_id)
        self._make_room(tx, bucket, stored.key, current, version_id)
        catalog.put_object(tx, stored)
        self._tell(tx, context, bucket, Happening(event, stored.key, stored.size, stored.etag, version_id))
        return stored

    def delete(
        self,
        tx: Tx,
        context: RequestContext,
        bucket: Bucket,
        key: str,
        write_conditions: Conditions = UNCONDITIONAL,
    ) -> Removal:
        """Remove the object of `key`, or put a delete marker over it in a bucket with versions.

        Without versions nothing happens, and nothing is told, when there is no object.
        """
        current = catalog.find_object(tx, bucket.name, key)
        conditions.check_write(write_conditions, current)
        if bucket.versioning:
            position, version_id = self._number(tx, bucket, key, current)
            self._make_room(tx, bucket, key, current, version_id)
            if current is not None and current.version_id == version_id:
                catalog.delete_object(tx, bucket.name, key)
            marker = DeleteMarker(bucket.name, key, version_id, position, int(self.clock.now()))
            version_catalog.insert_marker(tx, marker)
            self._tell(tx, context, bucket, Happening(notifications.REMOVED_MARKER, key, version_id=version_id))
            return Removal(version_id, marker=True)
        if current is not None:
            catalog.delete_object(tx, bucket.name, key)
            self._discard(tx, current)
            self._tell(tx, context, bucket, Happening(notifications.REMOVED_DELETE, key))
        return Removal()

    def delete_version(
        self,
        tx: Tx,
        context: RequestContext,
        bucket: Bucket,
        key: str,
        version_id: str,
        write_conditions: Conditions = UNCONDITIONAL,
    ) -> Removal:
        """Remove one version for good, or a delete marker; what is newest then shows. Nothing happens without it."""
        current = catalog.find_object(tx, bucket.name, key)
        version = version_catalog.find_version(tx, bucket.name, key, version_id)
        if version is None and write_conditions == UNCONDITIONAL:
            return Removal(version_id)
        conditions.check_write(write_conditions, version if isinstance(version, StoredObject) else None)
        assert version is not None, "a condition on nothing was refused"
        if version == current:
            catalog.delete_object(tx, bucket.name, key)
        else:
            version_catalog.delete_older(tx, version)
        if isinstance(version, StoredObject):
            self._discard(tx, version)
        if catalog.find_object(tx, bucket.name, key) is None:
            newest = version_catalog.newest_older(tx, bucket.name, key)
            if isinstance(newest, StoredObject):
                version_catalog.restore(tx, newest)
        self._tell(tx, context, bucket, Happening(notifications.REMOVED_DELETE, key, version_id=version_id))
        return Removal(version_id, marker=isinstance(version, DeleteMarker))

    def tag(self, tx: Tx, context: RequestContext, bucket: Bucket, stored: StoredObject, tags: Tags) -> None:
        """Give a version of an object new tags; none removes them."""
        if not catalog.set_tags(tx, stored, tags):
            version_catalog.set_tags(tx, stored, tags)
        event = notifications.TAGGING_PUT if tags else notifications.TAGGING_DELETE
        self._tell(tx, context, bucket, Happening(event, stored.key, etag=stored.etag, version_id=stored.version_id))

    def put_part(self, tx: Tx, part: Part) -> None:
        """Add a part to an upload, in the place of one with the same number."""
        replaced = upload_catalog.find_part(tx, part.owner, part.number)
        if replaced is not None:
            catalog.discard(tx, replaced.link, replaced.digest, self.clock.now())
        self.blobs.link(tx, part.digest, part.link)
        upload_catalog.put_part(tx, part)

    def _number(self, tx: Tx, bucket: Bucket, key: str, current: StoredObject | None) -> tuple[int, str]:
        """Position and id of the version that is about to be made."""
        newest = None if current is None else current.position
        if newest is None and bucket.versioning:
            older = version_catalog.newest_older(tx, bucket.name, key)
            newest = None if older is None else older.position
        position = versioning.next_position(self.clock.now(), newest)
        return position, versioning.version_id(bucket.versioning, key, position)

    def _make_room(self, tx: Tx, bucket: Bucket, key: str, current: StoredObject | None, version_id: str) -> None:
        """Let go of the version that a new one replaces, the one of the same id; keep any other as an older one.

        The row of a replaced current object is left for the caller to overwrite or to delete.
        """
        if current is not None and current.version_id != version_id:
            version_catalog.retire(tx, current)
        elif current is not None:
            self._discard(tx, current)
            return
        if bucket.versioning == "Suspended":
            replaced = version_catalog.find_older(tx, bucket.name, key, version_id)
            if replaced is not None:
                version_catalog.delete_older(tx, replaced)
            if isinstance(replaced, StoredObject):
                self._discard(tx, replaced)

    def _discard(self, tx: Tx, stored: StoredObject) -> None:
        owner = link_owner(stored.version) if stored.digest else stored.version
        catalog.discard(tx, owner, stored.digest, self.clock.now())

    def _tell(self, tx: Tx, context: RequestContext, bucket: Bucket, happening: Happening) -> None:
        rules = notifications.matching(bucket.rules, happening)
        if not rules and not bucket.event_bus:
            return
        now = self.clock.now()
        sequence = catalog.next_sequence(tx, bucket.name, now)
        owner = Source("s3.amazonaws.com", notifications.bucket_arn(bucket.name), context.account)
        options = replace(notifications.OPTIONS, trace_header=context.trace, on_behalf_of=owner)
        for rule in rules:
            event = notifications.record(bucket, rule, happening, context, now=now, sequence=sequence)
            try:
                self.targets.accept(tx, rule.target, event, options)
            except ServiceError as refusal:
                # Only a configuration put with SkipDestinationValidation names such a target. As in S3 the object is
                # written all the same, and the event is nobody's.
                _log.warning("no event for %s from bucket %s: %s", rule.target, bucket.name, refusal.message)
        if bucket.event_bus and (told := bus_events.told(bucket, happening, context, sequence)):
            arn = notifications.bucket_arn(bucket.name)
            self.events.emit(tx, bus_events.SOURCE, told.detail_type, told.detail, (arn,))


def link_owner(version: str) -> str:
    """The owner under which the blob of a version, or of a part, is linked."""
    return f"objects/{version}"
