"""Names, limits and the members of a request that Mayfly does not serve. Pure."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

from mayfly.services.contract import RequestContext
from mayfly.services.objects.errors import error, not_implemented
from mayfly.services.objects.model import Bucket

MAX_PUT_BYTES: Final = 5 * 1024**3  # of one PutObject, UploadPart or CopyObject
MAX_KEY_BYTES: Final = 1024
MAX_METADATA_BYTES: Final = 2048

_BUCKET_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_RESERVED_PREFIXES: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_REGION: Final = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d{1,2}", re.ASCII)

# Members that change how an object is kept, with the header to name: to take them and not do it would be a lie.
_REFUSED: Final = {
    "GrantFullControl": "x-amz-grant-full-control",
    "GrantRead": "x-amz-grant-read",
    "GrantReadACP": "x-amz-grant-read-acp",
    "GrantWrite": "x-amz-grant-write",
    "GrantWriteACP": "x-amz-grant-write-acp",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSECustomerAlgorithm": "x-amz-server-side-encryption-customer-algorithm",
    "SSECustomerKey": "x-amz-server-side-encryption-customer-key",
    "CopySourceSSECustomerAlgorithm": "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "SSEKMSEncryptionContext": "x-amz-server-side-encryption-context",
    "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
    "ObjectLockMode": "x-amz-object-lock-mode",
    "ObjectLockRetainUntilDate": "x-amz-object-lock-retain-until-date",
    "ObjectLockLegalHoldStatus": "x-amz-object-lock-legal-hold",
    "ObjectLockEventHold": "x-amz-object-lock-event-hold",
    "ObjectLockEnabledForBucket": "x-amz-bucket-object-lock-enabled",
    "WriteOffsetBytes": "x-amz-write-offset-bytes",
    "AnnotationDirective": "x-amz-object-annotation-directive",
    "BucketNamespace": "x-amz-bucket-namespace",
    "MFA": "x-amz-mfa",
}
_OWNERSHIPS: Final = frozenset({"BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"})
_OWNER_ONLY_ACLS: Final = frozenset({"private", "bucket-owner-full-control"})


def admit(context: RequestContext) -> None:
    """AccessDenied for a caller who did not sign: nothing here is public."""
    if context.principal.kind == "anonymous":
        raise error("AccessDenied")


def check_owner(bucket: Bucket, context: RequestContext, expected: str | None) -> None:
    """AccessDenied unless the caller's account owns the bucket and the account that it expects does."""
    if bucket.account != context.account or (expected is not None and expected != bucket.account):
        raise error("AccessDenied")


def check_bucket_name(name: str) -> None:
    """InvalidBucketName unless `name` follows the rules for general purpose buckets."""
    if (
        _BUCKET_NAME.fullmatch(name) is None
        or ".." in name
        or name.startswith(_RESERVED_PREFIXES)
        or name.endswith(_RESERVED_SUFFIXES)
        or _is_address(name)
    ):
        raise error("InvalidBucketName", BucketName=name)


def check_ownership(ownership: str) -> None:
    """MalformedXML unless `ownership` is one of S3's three kinds of object ownership."""
    if ownership not in _OWNERSHIPS:
        raise error("MalformedXML")


def bucket_region(constraint: str | None, region: str) -> str:
    """The region of a new bucket, from its LocationConstraint and the region that the request was signed for.

    us-east-1 stands for the global endpoint, which makes buckets anywhere; other regions only in themselves.
    """
    if constraint is None:
        if region != "us-east-1":
            raise error("IllegalLocationConstraintException")
        return region
    wanted = "eu-west-1" if constraint == "EU" else constraint
    if wanted == "us-east-1" or _REGION.fullmatch(wanted) is None:
        raise error("InvalidLocationConstraint", LocationConstraint=constraint)
    if region not in ("us-east-1", wanted):
        raise error(
            "IllegalLocationConstraintException",
            f"The {constraint} location constraint is incompatible for the region specific endpoint this request was "
            "sent to.",
        )
    return wanted


def check_key(key: str) -> None:
    """KeyTooLongError or InvalidURI unless `key` can name an object."""
    size = len(key.encode())
    if size > MAX_KEY_BYTES:
        raise error("KeyTooLongError", Size=size, MaxSizeAllowed=MAX_KEY_BYTES)
    # No database keeps NUL in text, and XML cannot show it.
    if not key or "\0" in key:
        raise error("InvalidURI", URI=key.replace("\0", "%00"))


def check_metadata(metadata: Mapping[str, str]) -> None:
    """MetadataTooLarge when names and values together exceed 2 KB of UTF-8."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > MAX_METADATA_BYTES:
        raise error("MetadataTooLarge", Size=size, MaxSizeAllowed=MAX_METADATA_BYTES)


def check_size(size: int) -> None:
    """EntityTooLarge when one write would carry more than 5 GiB."""
    if size > MAX_PUT_BYTES:
        raise error("EntityTooLarge", ProposedSize=size, MaxSizeAllowed=MAX_PUT_BYTES)


def check_served(request: Mapping[str, object]) -> None:
    """A precise error for members that ask for what Mayfly does not do.

    AES256 is what S3 does with every object anyway, and what `aws cloudformation package` and `sam package` always ask
    for: it passes, unconfirmed by the reply. Objects are as encrypted as the disk under Mayfly's data is.
    """
    for member, header in _REFUSED.items():
        if request.get(member) and (member, request[member]) != ("ServerSideEncryption", "AES256"):
            raise not_implemented(f"Mayfly does not implement {header}.")
    storage_class = request.get("StorageClass", "STANDARD")
    if storage_class != "STANDARD":
        raise error("InvalidStorageClass", StorageClassRequested=storage_class)
    if request.get("ACL", "private") not in _OWNER_ONLY_ACLS:
        raise error("AccessControlListNotSupported")


def check_version(version: object) -> None:
    """InvalidArgument unless `version` can be the id of one."""
    if re.fullmatch(r"[A-Za-z0-9._-]{1,1024}", str(version)) is None:
        raise error("InvalidArgument", "Invalid version id specified", ArgumentName="versionId", ArgumentValue=version)


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
