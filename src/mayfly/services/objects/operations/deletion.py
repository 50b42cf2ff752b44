"""DeleteObject and DeleteObjects."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.objects import access, checks
from mayfly.services.objects.conditions import Conditions
from mayfly.services.objects.errors import error, not_implemented
from mayfly.services.objects.publishing import Publisher
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

_MAX_KEYS: Final = 1000
_BATCH: Final = 100  # keys in one transaction, so that a big request does not hold up everybody's writes


class DeletionOperations:
    """Deleting is idempotent: a key that is not there is as good as deleted."""

    def __init__(self, store: Store, publisher: Publisher) -> None:
        self._store = store
        self._publisher = publisher

    @operation("DeleteObject")
    async def delete(self, context: RequestContext, request: "s3.DeleteObjectRequestTypeDef") -> dict[str, Any]:
        checks.admit(context)
        checks.check_served(request)
        checks.check_version(request.get("VersionId"))
        if "IfMatchLastModifiedTime" in request or "IfMatchSize" in request:
            raise not_implemented("Deletes on condition of time or size exist for directory buckets only.")

        def body(tx: Tx) -> None:
            bucket = access.bucket_for(tx, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            self._publisher.delete(tx, context, bucket, request["Key"], Conditions(request.get("IfMatch")))

        await self._store.write(body)
        return {}

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
            failures = await self._delete_batch(context, request, batch)
            for item, failure in zip(batch, failures, strict=True):
                if failure is None:
                    deleted.append({"Key": item["Key"], **_version(item)})
                else:
                    errors.append(
                        {"Key": item["Key"], **_version(item), "Code": failure.code, "Message": failure.message}
                    )
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
    ) -> list[ServiceError | None]:
        """Delete a few keys in one transaction; what went wrong with each."""

        def body(tx: Tx) -> list[ServiceError | None]:
            bucket = access.bucket_for(tx, context, request["Bucket"], request.get("ExpectedBucketOwner"))
            failures: list[ServiceError | None] = []
            for item in batch:
                try:
                    # Everything that refuses does so before the first change, so one failure leaves the rest whole.
                    _check_item(item)
                    self._publisher.delete(tx, context, bucket, item["Key"], Conditions(item.get("ETag")))
                    failures.append(None)
                except ServiceError as failure:
                    failures.append(failure)
            return failures

        return await self._store.write(body)


def _check_item(item: "s3.ObjectIdentifierTypeDef") -> None:
    if "LastModifiedTime" in item or "Size" in item:
        raise not_implemented("Deletes on condition of time or size exist for directory buckets only.")
    checks.check_version(item.get("VersionId"))


def _version(item: "s3.ObjectIdentifierTypeDef") -> dict[str, Any]:
    return {"VersionId": item["VersionId"]} if "VersionId" in item else {}
