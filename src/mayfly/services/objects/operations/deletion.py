"""DeleteObject and DeleteObjects."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.objects import access, checks
from mayfly.services.objects.conditions import Conditions
from mayfly.services.objects.errors import error, not_implemented
from mayfly.services.objects.model import Bucket, Removal
from mayfly.services.objects.publishing import Publisher
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

_MAX_KEYS: Final = 1000
_BATCH: Final = 100  # keys in one transaction, so that a big request does not hold up everybody's writes


class DeletionOperations:
    """Deleting is idempotent: a key, or a version, that is not there is as good as deleted."""

    def __init__(self, store: Store, publisher: Publisher) -> None:
        self._store = store
        self._publisher = publisher

    @operation("DeleteObject")
    async def delete(self, context: RequestContext, request: "s3.DeleteObjectRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        if "IfMatchLastModifiedTime" in request or "IfMatchSize" in request:
            raise not_implemented("Deletes on condition of time or size exist for directory buckets only.")

        wanted = Conditions(request.get("IfMatch"))

        def body(tx: Tx) -> Removal:
            bucket = access.bucket_for(tx, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            return self._remove(tx, context, bucket, request["Key"], request.get("VersionId"), wanted)

        removal = await self._store.write(body)
        reply: dict[str, Any] = {"VersionId": removal.version_id} if removal.version_id else {}
        if removal.marker:
            reply["DeleteMarker"] = True
        return reply

    @operation("DeleteObjects")
    async def delete_many(self, context: RequestContext, request: "s3.DeleteObjectsRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        wanted = request["Delete"]["Objects"]
        if not 1 <= len(wanted) <= _MAX_KEYS:
            raise error("MalformedXML")
        deleted: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for begin in range(0, len(wanted), _BATCH):
            batch = wanted[begin : begin + _BATCH]
            outcomes = await self._delete_batch(context, request, batch)
            for item, outcome in zip(batch, outcomes, strict=True):
                named: dict[str, Any] = {"Key": item["Key"]}
                if "VersionId" in item:
                    named["VersionId"] = item["VersionId"]
                if isinstance(outcome, Removal):
                    deleted.append(named | _marker(outcome))
                else:
                    errors.append({**named, "Code": outcome.code, "Message": outcome.message})
        reply: dict[str, Any] = {}
        if deleted and not request["Delete"].get("Quiet", False):
            reply["Deleted"] = deleted
        if errors:
            reply["Errors"] = errors
        return reply

    async def _delete_batch(
        self,
        context: RequestContext,
        request: "s3.DeleteObjectsRequestTypeDef",
        batch: "Sequence[s3.ObjectIdentifierTypeDef]",
    ) -> list[Removal | ServiceError]:
        """Delete a few keys in one transaction; what became of each."""

        def body(tx: Tx) -> list[Removal | ServiceError]:
            bucket = access.bucket_for(tx, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            outcomes: list[Removal | ServiceError] = []
            for item in batch:
                try:
                    # Everything that refuses does so before the first change, so one failure leaves the rest whole.
                    _check_item(item)
                    wanted = Conditions(item.get("ETag"))
                    outcomes.append(self._remove(tx, context, bucket, item["Key"], item.get("VersionId"), wanted))
                except ServiceError as failure:
                    outcomes.append(failure)
            return outcomes

        return await self._store.write(body)

    def _remove(
        self, tx: Tx, context: RequestContext, bucket: Bucket, key: str, version: str | None, wanted: Conditions
    ) -> Removal:
        if version is None:
            return self._publisher.delete(tx, context, bucket, key, wanted)
        checks.check_version(version)
        return self._publisher.delete_version(tx, context, bucket, key, version, wanted)


def _check_item(item: "s3.ObjectIdentifierTypeDef") -> None:
    if "LastModifiedTime" in item or "Size" in item:
        raise not_implemented("Deletes on condition of time or size exist for directory buckets only.")


def _marker(removal: Removal) -> dict[str, Any]:
    """What DeleteObjects says of a delete marker that was made or removed."""
    return {"DeleteMarker": True, "DeleteMarkerVersionId": removal.version_id} if removal.marker else {}
