"""The transactions that make a write visible: the object's row, the links of its blobs, its events, in one commit.

Every operation that changes an object goes through here, so the rule that an event is accepted together with the
change that it tells of is kept in one place. Functions of a `Tx`: called inside store bodies.
"""

import logging
from dataclasses import dataclass

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.objects import catalog, conditions, notifications, upload_catalog
from mayfly.services.objects.conditions import UNCONDITIONAL, Conditions
from mayfly.services.objects.model import Bucket, Part, StoredObject, Tags
from mayfly.services.objects.notifications import Happening
from mayfly.services.ports import EventTargets
from mayfly.store.api import Blobs, Tx

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publisher:
    """What a write needs of the world besides its transaction."""

    blobs: Blobs
    targets: EventTargets
    clock: Clock

    def put(
        self,
        tx: Tx,
        context: RequestContext,
        bucket: Bucket,
        stored: StoredObject,
        *,
        event: str,
        write_conditions: Conditions = UNCONDITIONAL,
    ) -> None:
        """Make `stored` the object of its key; PreconditionFailed or NoSuchKey when the conditions do not hold."""
        current = catalog.find_object(tx, bucket.name, stored.key)
        conditions.check_write(write_conditions, current)
        if stored.digest:
            self.blobs.link(tx, stored.digest, link_owner(stored.version))
        catalog.put_object(tx, stored)
        if current is not None:
            self._discard(tx, current)
        self._tell(tx, context, bucket, Happening(event, stored.key, stored.size, stored.etag))

    def delete(
        self,
        tx: Tx,
        context: RequestContext,
        bucket: Bucket,
        key: str,
        write_conditions: Conditions = UNCONDITIONAL,
    ) -> None:
        """Remove the object of `key`; nothing happens, and nothing is told, when there is none."""
        current = catalog.find_object(tx, bucket.name, key)
        conditions.check_write(write_conditions, current)
        if current is None:
            return
        catalog.delete_object(tx, bucket.name, key)
        self._discard(tx, current)
        self._tell(tx, context, bucket, Happening(notifications.REMOVED_DELETE, key))

    def tag(self, tx: Tx, context: RequestContext, bucket: Bucket, stored: StoredObject, tags: Tags) -> None:
        """Give an object new tags; none removes them."""
        catalog.set_tags(tx, bucket.name, stored.key, tags)
        event = notifications.TAGGING_PUT if tags else notifications.TAGGING_DELETE
        self._tell(tx, context, bucket, Happening(event, stored.key, etag=stored.etag))

    def put_part(self, tx: Tx, part: Part) -> None:
        """Add a part to an upload, in the place of one with the same number."""
        replaced = upload_catalog.find_part(tx, part.owner, part.number)
        if replaced is not None:
            catalog.discard(tx, replaced.link, replaced.digest, self.clock.now())
        self.blobs.link(tx, part.digest, part.link)
        upload_catalog.put_part(tx, part)

    def _discard(self, tx: Tx, stored: StoredObject) -> None:
        owner = link_owner(stored.version) if stored.digest else stored.version
        catalog.discard(tx, owner, stored.digest, self.clock.now())

    def _tell(self, tx: Tx, context: RequestContext, bucket: Bucket, happening: Happening) -> None:
        rules = notifications.matching(bucket.rules, happening)
        if not rules:
            return
        now = self.clock.now()
        sequence = catalog.next_sequence(tx, bucket.name, now)
        for rule in rules:
            event = notifications.record(bucket, rule, happening, context, now=now, sequence=sequence)
            try:
                self.targets.accept(tx, rule.target, event)
            except ServiceError as refusal:
                # Only a configuration put with SkipDestinationValidation names such a target. As in S3 the object is
                # written all the same, and the event is nobody's.
                _log.warning("no event for %s from bucket %s: %s", rule.target, bucket.name, refusal.message)


def link_owner(version: str) -> str:
    """The owner under which the blob of a version, or of a part, is linked."""
    return f"objects/{version}"
