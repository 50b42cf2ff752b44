"""Who may touch which bucket: the first statement of every body that the operations hand to the store."""

from collections.abc import Mapping

from mayfly.services.contract import RequestContext
from mayfly.services.objects import catalog, checks, conditions
from mayfly.services.objects.conditions import Conditions
from mayfly.services.objects.copying import Source
from mayfly.services.objects.errors import error
from mayfly.services.objects.model import Bucket, StoredObject
from mayfly.store.api import Reader


def bucket_for(reader: Reader, context: RequestContext, name: str, expected_owner: object | None = None) -> Bucket:
    """The bucket `name`; NoSuchBucket or AccessDenied."""
    bucket = catalog.find_bucket(reader, name)
    if bucket is None:
        raise error("NoSuchBucket", BucketName=name)
    checks.check_owner(bucket, context, None if expected_owner is None else str(expected_owner))
    return bucket


def object_for(reader: Reader, context: RequestContext, request: Mapping[str, object]) -> StoredObject:
    """The object that a request's Bucket, Key and VersionId name; NoSuchBucket, NoSuchKey, NoSuchVersion."""
    bucket = bucket_for(reader, context, str(request["Bucket"]), request.get("ExpectedBucketOwner"))
    checks.check_version(request.get("VersionId"))
    return find(reader, bucket.name, str(request["Key"]))


def find(reader: Reader, bucket: str, key: str) -> StoredObject:
    """An object of a bucket that was admitted; NoSuchKey."""
    stored = catalog.find_object(reader, bucket, key)
    if stored is None:
        raise error("NoSuchKey", Key=key)
    return stored


def copy_source(
    reader: Reader, context: RequestContext, request: Mapping[str, object], source: Source, now: float
) -> StoredObject:
    """The source of a copy, its conditions checked; the errors of `object_for`, PreconditionFailed."""
    bucket = bucket_for(reader, context, source.bucket, request.get("ExpectedSourceBucketOwner"))
    checks.check_version(source.version)
    stored = find(reader, bucket.name, source.key)
    conditions.check_copy(Conditions.of(request, "CopySource"), stored, now)
    return stored
