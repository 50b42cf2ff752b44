"""Whether an authorizer is what API Gateway takes, and Mayfly can ask. Pure; `ServiceError`."""

import re

from mayfly.services.apis.rest import faults
from mayfly.services.apis.rest.model import Authorizer
from mayfly.services.apis.rest.serving import uris

_POOL = re.compile(r"arn:[^:]+:cognito-idp:[^:]*:\d*:userpool/[A-Za-z0-9_-]+")
_SOURCE = re.compile(r"(method\.request\.(header|querystring)\.\S+|stageVariables\.\w+|context\.[\w.]+)")
USUAL_SOURCE = "method.request.header.Authorization"
MOST_TTL_S = 3600


def authorizer(value: Authorizer) -> None:
    if not value.name:
        raise faults.bad_request("Authorizer name cannot be empty")
    if value.type == "JWT":
        raise faults.refused(
            "Mayfly's REST APIs have authorizers of the types TOKEN, REQUEST and COGNITO_USER_POOLS; tokens of any "
            "other issuer are checked by a Lambda authorizer, or by the JWT authorizer of an HTTP API."
        )
    ttl = value.authorizer_result_ttl_in_seconds
    if ttl is not None and not 0 <= ttl <= MOST_TTL_S:
        raise faults.bad_request(f"Authorizer result TTL must be between 0 and {MOST_TTL_S} seconds")
    if value.type == "COGNITO_USER_POOLS":
        if not value.provider_arns or not all(_POOL.fullmatch(one) for one in value.provider_arns):
            raise faults.bad_request("Invalid Cognito user pool ARN(s) specified")
        return
    uri = value.authorizer_uri or ""
    if not uri:
        raise faults.bad_request(
            "Invalid Authorizer URI: null" if value.authorizer_uri is None else f"Invalid Authorizer URI: {uri}"
        )
    if uris.function_of(uri) is None:
        raise faults.bad_request(
            f"Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda "
            "function invocation."
        )
    sources = [one.strip() for one in (value.identity_source or "").split(",") if one.strip()]
    if value.type == "REQUEST" and not sources and ttl != 0:
        raise faults.bad_request("Identity source cannot be empty when caching is enabled for a REQUEST authorizer")
    if value.type == "TOKEN" and len(sources) > 1:
        raise faults.bad_request("A TOKEN authorizer has one identity source")
    for source in sources:
        if not _SOURCE.fullmatch(source):
            raise faults.bad_request(f"Invalid mapping expression specified: {source}")
    if value.identity_validation_expression:
        try:
            re.compile(value.identity_validation_expression)
        except re.error as error:
            raise faults.bad_request(f"Invalid identity validation expression: {error}") from None
