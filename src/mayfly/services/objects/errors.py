"""S3's errors: one table of code, status and message, and the function that raises from it.

S3's model declares few of its errors, so the statuses stand here. Codes and messages are those that S3 documents or
answers.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mayfly.services.contract import ServiceError

_TABLE: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "AccessControlListNotSupported": (400, "The bucket does not allow ACLs"),
        "AccessDenied": (403, "Access Denied"),
        "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
        "BadRequest": (400, "Bad Request"),
        "BucketAlreadyExists": (
            409,
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.",
        ),
        "BucketAlreadyOwnedByYou": (
            409,
            "Your previous request to create the named bucket succeeded and you already own it.",
        ),
        "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
        "ConditionalRequestConflict": (
            409,
            "The conditional request cannot succeed due to a conflicting operation against this resource.",
        ),
        "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
        "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
        "IllegalLocationConstraintException": (
            400,
            "The unspecified location constraint is incompatible for the region specific endpoint this request was "
            "sent to.",
        ),
        "IllegalVersioningConfigurationException": (
            400,
            "The Versioning element must be specified",
        ),
        "IncompleteBody": (
            400,
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        ),
        "InvalidArgument": (400, "Invalid Argument"),
        "InvalidBucketAclWithObjectOwnership": (
            400,
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        ),
        "InvalidBucketName": (400, "The specified bucket is not valid."),
        "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
        "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
        "InvalidPart": (
            400,
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag.",
        ),
        "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
        "InvalidPartOrder": (
            400,
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ),
        "InvalidRange": (416, "The requested range is not satisfiable"),
        "InvalidRequest": (400, "Invalid Request"),
        "InvalidStorageClass": (400, "The storage class you specified is not valid"),
        "InvalidTag": (400, "The TagKey you have provided is invalid"),
        "InvalidURI": (400, "Couldn't parse the specified URI."),
        "KeyTooLongError": (400, "Your key is too long"),
        "MalformedPolicy": (400, "This policy contains invalid Json"),
        "MalformedXML": (
            400,
            "The XML you provided was not well-formed or did not validate against our published schema",
        ),
        "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
        "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
        "NoSuchBucket": (404, "The specified bucket does not exist"),
        "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
        "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist"),
        "NoSuchKey": (404, "The specified key does not exist."),
        "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist"),
        "NoSuchPublicAccessBlockConfiguration": (404, "The public access block configuration was not found"),
        "NoSuchTagSet": (404, "The TagSet does not exist"),
        "NoSuchUpload": (
            404,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
            "or completed.",
        ),
        "NoSuchVersion": (404, "The specified version does not exist."),
        "NoSuchWebsiteConfiguration": (404, "The specified bucket does not have a website configuration"),
        "NotImplemented": (501, "A header you provided implies functionality that is not implemented"),
        "NotModified": (304, "Not Modified"),
        "ObjectLockConfigurationNotFoundError": (404, "Object Lock configuration does not exist for this bucket"),
        "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found"),
        "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
        "ReplicationConfigurationNotFoundError": (404, "The replication configuration was not found"),
        "ServerSideEncryptionConfigurationNotFoundError": (
            404,
            "The server side encryption configuration was not found",
        ),
    }
)


def error(
    code: str, message: str | None = None, headers: Mapping[str, str] | None = None, **members: object
) -> ServiceError:
    """The error `code` with its status; its usual message unless one is given. KeyError for an unknown code."""
    status, usual = _TABLE[code]
    return ServiceError(code, usual if message is None else message, status=status, members=members, headers=headers)


def invalid_argument(message: str, name: str, value: object) -> ServiceError:
    """InvalidArgument, naming the argument and its value as S3 does."""
    return error("InvalidArgument", message, ArgumentName=name, ArgumentValue=str(value))


def not_implemented(what: str) -> ServiceError:
    """The request needs something of S3 that Mayfly does not have; `what` is a sentence that names it."""
    return error("NotImplemented", what)
