"""The words in which each family of services refuses a request that it cannot authenticate.

The same fault has up to four names: S3 has its own, the JSON services end theirs in "Exception", the query services,
and those that used to be, do not, and the rest-JSON services use the JSON names with status 403.
"""

from typing import Final, Literal

from mayfly.services.contract import ServiceError
from mayfly.wire.claims import AuthError

Family = Literal["s3", "query", "json", "rest-json"]

MISMATCH: Final = "The request signature we calculated does not match the signature you provided. Check your "
S3_METHOD: Final = "key and signing method."
OTHER_METHOD: Final = "AWS Secret Access Key and signing method. Consult the service documentation for details."


def family_of(service: str, protocol: str) -> Family:
    """The family that a service belongs to."""
    if service == "s3":
        return "s3"
    if protocol in {"query", "ec2", "rest-xml"}:
        return "query"
    return "rest-json" if protocol == "rest-json" else "json"


def denial(error: AuthError, family: Family) -> ServiceError:
    """What a service of `family` answers to `error`."""
    return _s3_denial(error) if family == "s3" else _other_denial(error, family)


def missing(family: Family) -> ServiceError:
    """What a service of `family` answers to a request without a signature."""
    if family == "s3":
        return ServiceError("AccessDenied", "Access Denied", status=403)
    if family == "query":
        return ServiceError("MissingAuthenticationToken", "Request is missing Authentication Token", status=403)
    status = 403 if family == "rest-json" else 400
    return ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token", status=status)


def unknown_key(error: ServiceError, family: Family, access_key_id: str, with_token: bool) -> ServiceError:
    """The family's form of what a `KeySource` raised: InvalidClientTokenId or ExpiredToken."""
    expired = error.code.startswith("ExpiredToken")
    if family == "s3":
        if expired:
            return ServiceError("ExpiredToken", "The provided token has expired.", status=400)
        if with_token:
            return ServiceError("InvalidToken", "The provided token is malformed or otherwise invalid.", status=400)
        return ServiceError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            status=403,
            members={"AWSAccessKeyId": access_key_id},
        )
    suffix = "" if family == "query" else "Exception"
    status = 400 if family == "json" else 403
    if expired:
        words = "The security token included in the request is expired"
        return ServiceError(f"ExpiredToken{suffix}", words, status=status)
    code = "InvalidClientTokenId" if family == "query" else "UnrecognizedClientException"
    return ServiceError(code, "The security token included in the request is invalid.", status=status)


def _s3_denial(error: AuthError) -> ServiceError:
    details = error.details
    match error.kind:
        case "mismatch":
            return ServiceError(
                "SignatureDoesNotMatch",
                MISMATCH + S3_METHOD,
                status=403,
                members={
                    "AWSAccessKeyId": details["access_key_id"],
                    "StringToSign": details["string_to_sign"],
                    "SignatureProvided": details["signature"],
                    "CanonicalRequest": details["canonical_request"],
                },
            )
        case "skewed":
            return ServiceError(
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                status=403,
                members={
                    "RequestTime": details["request_time"],
                    "ServerTime": details["server_time"],
                    "MaxAllowedSkewMilliseconds": details["max_ms"],
                },
            )
        case "url-expired":
            members = {
                "X-Amz-Expires": details["expires_s"],
                "Expires": details["expires"],
                "ServerTime": details["now"],
            }
            return ServiceError("AccessDenied", error.message, status=403, members=members)
        case "url-invalid":
            return ServiceError("AccessDenied", error.message, status=403)
        case "url-early":
            return ServiceError("AccessDenied", error.message, status=403, members={"ServerTime": details["now"]})
        case "query-parameters":
            return ServiceError("AuthorizationQueryParametersError", error.message, status=400)
        case "unsupported":
            words = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
            return ServiceError("InvalidRequest", words, status=400, members={"Mechanism": error.message})
        case "two-mechanisms":
            words = (
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                "parameter or the Authorization header should be specified"
            )
            return ServiceError("InvalidArgument", words, status=400)
        case "unsigned-headers":
            words = "There were headers present in the request which were not signed"
            return ServiceError("AccessDenied", words, status=403, members={"HeadersNotSigned": details["names"]})
        case _:
            words = f"The authorization header is malformed; {error.message}"
            return ServiceError("AuthorizationHeaderMalformed", words, status=400)


def _other_denial(error: AuthError, family: Family) -> ServiceError:
    suffix = "" if family == "query" else "Exception"
    signature = "SignatureDoesNotMatch" if family == "query" else "InvalidSignatureException"
    status = 400 if family == "json" else 403
    match error.kind:
        case "mismatch":
            return ServiceError(signature, MISMATCH + OTHER_METHOD, status=status)
        case "skewed" | "credential-date" | "url-early":
            return ServiceError(signature, error.message, status=status)
        case "url-expired":
            words = f"Signature expired: the URL was valid until {error.details['expires']}"
            return ServiceError(signature, words, status=status)
        case "unsupported":
            words = f"{error.message} is not supported. Sign with AWS4-HMAC-SHA256."
            return ServiceError(f"IncompleteSignature{suffix}", words, status=400 if family != "rest-json" else 403)
        case _:
            status = 403 if family == "rest-json" else 400
            return ServiceError(f"IncompleteSignature{suffix}", error.message, status=status)
