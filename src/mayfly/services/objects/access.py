"""Who may touch which bucket: the first statement of every body that the operations hand to the store."""

from collections.abc import Mapping
from email.utils import formatdate
from typing import NamedTuple

from mayfly.services.contract import RequestContext
from mayfly.services.objects import catalog, checks, conditions, version_catalog
from mayfly.services.objects.conditions import Conditions
from mayfly.services.objects.copying import Source
from mayfly.services.objects.errors import error
from mayfly.services.objects.model import Bucket, DeleteMarker, StoredObject
from mayfly.services.objects.versioning import NULL
from mayfly.store.api import Reader


def bucket_for(reader: Reader, context: RequestContext, name: str, expected_owner: object | None = None) -> Bucket:
    """The bucket `name`; NoSuchBucket or AccessDenied."""
    bucket = catalog.find_bucket(reader, name)
    if bucket is None:
        raise error("NoSuchBucket", BucketName=name)
    checks.check_owner(bucket, context, None if expected_owner is None else str(expected_owner))
    return bucket


class Found(NamedTuple):
    """An object in its bucket."""

    bucket: Bucket
    stored: StoredObject

    def version(self) -> dict[str, str]:
        """The member of a reply that names the version, in buckets that have or had versions."""
        return {"VersionId": self.stored.version_id} if self.bucket.versioning else {}

    def made(self) -> dict[str, str]:
        """The same where the version was just made; S3 is silent about null versions then."""
        return {} if self.stored.version_id == NULL else self.version()


def object_for(reader: Reader, context: RequestContext, request: Mapping[str, object], method: str = "GET") -> Found:
    """The object that a request's Bucket, Key and VersionId name; the errors of `find`, NoSuchBucket."""
    bucket = bucket_for(reader, context, str(request["Bucket"]), request.get("ExpectedBucketOwner"))
    version = request.get("VersionId")
    found = find(reader, bucket.name, str(request["Key"]), None if version is None else str(version))
    if isinstance(found, DeleteMarker):
        headers = {
            **_marked(found),
            "allow": "DELETE",
            "last-modified": formatdate(found.modified_at, usegmt=True),
        }
        raise error("MethodNotAllowed", headers=headers, Method=method, ResourceType="DeleteMarker")
    return Found(bucket, found)


def _marked(marker: DeleteMarker) -> dict[str, str]:
    """The headers by which a reply tells of a delete marker."""
    return {"x-amz-delete-marker": "true", "x-amz-version-id": marker.version_id}


def find(reader: Reader, bucket: str, key: str, version: str | None) -> StoredObject | DeleteMarker:
    """An object of a bucket that was admitted, or the delete marker that `version` names; NoSuchKey, NoSuchVersion."""
    if version is None:
        stored = catalog.find_object(reader, bucket, key)
        if stored is None:
            newest = version_catalog.newest_older(reader, bucket, key)
            headers = _marked(newest) if isinstance(newest, DeleteMarker) else {}
            raise error("NoSuchKey", headers=headers, Key=key)
        return stored
    checks.check_version(version)
    found = version_catalog.find_version(reader, bucket, key, version)
    if found is None:
        raise error("NoSuchVersion", Key=key, VersionId=version)
    return found


def copy_source(
    reader: Reader, context: RequestContext, request: Mapping[str, object], source: Source, now: float
) -> Found:
    """The source of a copy, its conditions checked; the errors of `object_for`, PreconditionFailed."""
    bucket = bucket_for(reader, context, source.bucket, request.get("ExpectedSourceBucketOwner"))
    stored = find(reader, bucket.name, source.key, source.version)
    if isinstance(stored, DeleteMarker):
        raise error(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        )
    conditions.check_copy(Conditions.of(request, "CopySource"), stored, now)
    return Found(bucket, stored)
