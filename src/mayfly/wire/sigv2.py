"""Signature Version 2 of presigned S3 URLs, and of nothing else.

boto3 and the AWS command line still make such URLs by default in us-east-1, and S3 still takes them. A signature in the
header, or of any other service, must be of version 4. Source: "Signing and authenticating REST requests (AWS signature
version 2)" in the S3 developer guide, query string request authentication alternative.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence

from mayfly.wire.claims import AuthError, Claim

# Query parameters that are part of the resource: sub-resources, and overrides of the reply's headers.
_OF_THE_RESOURCE = frozenset(
    (
        "accelerate", "acl", "analytics", "cors", "delete", "encryption", "inventory", "lifecycle", "location",
        "logging", "metrics", "notification", "object-lock", "ownershipControls", "partNumber", "policy",
        "policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore", "response-cache-control",
        "response-content-disposition", "response-content-encoding", "response-content-language",
        "response-content-type", "response-expires", "select", "select-type", "storageClass", "tagging", "torrent",
        "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    )
)  # fmt: skip


def string_to_sign(
    claim: Claim, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]
) -> str:
    """What the client signed. `path` is raw and in path style; `headers` include those that the query carries."""
    amz = {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    if claim.session_token is not None:
        amz["x-amz-security-token"] = claim.session_token
    own = sorted((key, value) for key, value in query if key in _OF_THE_RESOURCE)
    if path.count("/") == 1 and path != "/":
        path += "/"  # a bucket by itself ends in a slash, whether or not the URL does
    resource = path + ("?" if own else "") + "&".join(f"{key}={value}" if value else key for key, value in own)
    lines = [
        method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        claim.timestamp,
        *(f"{name}:{value.strip()}" for name, value in sorted(amz.items())),
        resource,
    ]
    return "\n".join(lines)


def check(claim: Claim, secret: str, text: str) -> None:
    """`AuthError` unless the claim's signature is that of `text`."""
    expected = base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1"))
    if not hmac.compare_digest(expected, claim.signature.encode()):
        raise AuthError(
            "mismatch",
            access_key_id=claim.access_key_id,
            string_to_sign=text,
            canonical_request="",
            signature=claim.signature,
        )
