"""`ObjectsService`: everything of the package put together, and what it gives to the rest of Mayfly."""

from collections.abc import AsyncIterator, Mapping

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.ids import Arn
from mayfly.services.contract import Handler, Principal, RequestContext, operations_of
from mayfly.services.objects import access, catalog, collection, content
from mayfly.services.objects.cors import CorsRule
from mayfly.services.objects.errors import error
from mayfly.services.objects.model import DeleteMarker, StoredObject
from mayfly.services.objects.operations.absent import AbsentOperations
from mayfly.services.objects.operations.attributes import AttributeOperations
from mayfly.services.objects.operations.buckets import BucketOperations
from mayfly.services.objects.operations.copies import CopyOperations
from mayfly.services.objects.operations.deletion import DeletionOperations
from mayfly.services.objects.operations.listing import ListingOperations
from mayfly.services.objects.operations.notifications import NotificationOperations
from mayfly.services.objects.operations.objects import ObjectOperations
from mayfly.services.objects.operations.settings import SettingOperations
from mayfly.services.objects.operations.tagging import TaggingOperations
from mayfly.services.objects.operations.upload_listing import UploadListingOperations
from mayfly.services.objects.operations.uploads import UploadOperations
from mayfly.services.objects.operations.versions import VersionOperations
from mayfly.services.objects.publishing import Publisher
from mayfly.services.objects.ranges import Span
from mayfly.services.ports import UNHEARD, EventTargets, PlatformEvents, Source
from mayfly.store.api import Blobs, Reader, Store

PACKAGE = "mayfly.services.objects"  # for the store: where the migrations are


class ObjectsService:
    """S3. `CodeSource` for functions and stacks, `ObjectSink` for functions. Holds nothing in memory that
    must outlive the process."""

    name = "s3"

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        targets: EventTargets,
        clock: Clock,
        events: PlatformEvents = UNHEARD,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        publisher = Publisher(blobs, targets, clock, events)
        self._writes = writes = ObjectOperations(store, blobs, publisher, clock)
        self._operations = operations_of(
            BucketOperations(store, clock),
            writes,
            DeletionOperations(store, publisher),
            CopyOperations(store, blobs, publisher, clock),
            ListingOperations(store),
            UploadOperations(store, blobs, publisher, clock),
            UploadListingOperations(store),
            AttributeOperations(store),
            TaggingOperations(store, publisher),
            NotificationOperations(store, targets, clock),
            SettingOperations(store),
            VersionOperations(store),
            AbsentOperations(store),
        )

    @property
    def operations(self) -> Mapping[str, Handler]:
        return self._operations

    async def open(self, bucket: str, key: str, version: str | None) -> AsyncIterator[bytes]:
        """The bytes of an object, for services of the platform itself."""

        def look(reader: Reader) -> StoredObject:
            if catalog.find_bucket(reader, bucket) is None:
                raise error("NoSuchBucket", BucketName=bucket)
            found = access.find(reader, bucket, key, version)
            if isinstance(found, DeleteMarker):
                raise error("MethodNotAllowed", Method="GET", ResourceType="DeleteMarker")
            return found

        stored = await self._store.read(look)
        return content.stream(self._store, self._blobs, stored, Span(0, stored.size))

    async def has_bucket(self, bucket: str) -> bool:
        """See `ports.ObjectSink`."""
        return await self._store.read(lambda reader: catalog.find_bucket(reader, bucket)) is not None

    async def put(self, bucket: str, key: str, body: bytes, content_type: str, source: Source) -> None:
        """See `ports.ObjectSink`."""
        who = Principal("service", source.account, source.arn, source.principal)
        region = Arn.parse(source.arn).region
        context = RequestContext(ids.request_id(), source.account, region, who, "")
        await self._writes.put(context, {"Bucket": bucket, "Key": key, "Body": body, "ContentType": content_type})

    async def cors_rules(self, bucket: str) -> tuple[CorsRule, ...]:
        """The bucket's cross-origin rules, for the front door to apply with `cors.match`; none for no bucket."""
        document = await self._store.read(lambda reader: catalog.find_setting(reader, bucket, catalog.CORS))
        return () if document is None else msgspec.convert(document, tuple[CorsRule, ...])

    async def collect(self, grace_s: float) -> int:
        """Let go of bytes that were discarded more than `grace_s` ago; how many blobs. Call before `Blobs.sweep`.

        `grace_s` is how long a reader may go on with an object that was replaced or deleted under it.
        """
        return await collection.collect(self._store, self._blobs, self._clock, grace_s)
