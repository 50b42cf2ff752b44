"""Whether an integration is what API Gateway takes, and Mayfly can do. Pure; `ServiceError`."""

import re
from typing import Final

from mayfly.services.apis.rest import checks, faults
from mayfly.services.apis.rest.model import STREAM, Integration
from mayfly.services.contract import ServiceError

LEAST_MS, MOST_MS = 50, 300_000
MOST_STREAM_MS = 900_000
USUAL_MS: Final = 29_000
_LAMBDA = re.compile(
    r"arn:[^:]+:apigateway:[^:]*:lambda:path/(2015-03-31|2021-11-15)/functions/.+/(response-streaming-)?invocations"
)
_VARIABLE = "${stageVariables."


def integration(value: Integration) -> None:
    """All of it."""
    if value.connection_type == "VPC_LINK" or value.connection_id is not None or value.integration_target is not None:
        raise faults.refused(
            "Mayfly has no VPC links: they lead into networks that only exist inside AWS. An integration of the type "
            "HTTP or HTTP_PROXY reaches any address that the platform may call (connectionType INTERNET)."
        )
    if value.type != "MOCK" and not value.http_method:
        raise faults.bad_request("Enumeration value for HttpMethod must be non-empty")
    if value.http_method:
        checks.method(value.http_method)
    if value.type in ("HTTP", "HTTP_PROXY"):
        _http(value.uri or "")
    elif value.type in ("AWS", "AWS_PROXY"):
        _aws(value)
    most = MOST_STREAM_MS if value.response_transfer_mode == STREAM else MOST_MS
    if not LEAST_MS <= value.timeout_in_millis <= most:
        raise faults.bad_request(f"Timeout should be between {LEAST_MS} ms and {most} ms")
    if value.passthrough_behavior not in ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"):
        raise faults.bad_request("Invalid passthrough behavior specified")
    checks.templates(value.request_templates or {})
    for name, source in (value.request_parameters or {}).items():
        _mapping(name, source)
    if value.response_transfer_mode not in (None, "BUFFERED", STREAM):
        raise faults.bad_request("Invalid response transfer mode specified. Must be one of: [BUFFERED, STREAM]")
    if value.response_transfer_mode == STREAM and value.type not in ("AWS_PROXY", "HTTP_PROXY"):
        raise faults.bad_request(
            "Response transfer mode STREAM is only supported for HTTP_PROXY and AWS_PROXY integrations"
        )


def _http(uri: str) -> None:
    if not re.match(r"https?://\S+$", uri) and _VARIABLE not in uri:
        raise faults.bad_request("Invalid HTTP endpoint specified for URI")


def _aws(value: Integration) -> None:
    uri = value.uri or ""
    if not uri.startswith("arn:"):
        raise faults.bad_request("Invalid ARN specified in the request")
    pieces = uri.split(":", 5)
    if len(pieces) < 6 or pieces[2] != "apigateway" or not pieces[5].startswith(("path/", "action/")):
        raise faults.bad_request("AWS ARN for integration must contain path or action")
    if value.type == "AWS_PROXY" and not _LAMBDA.fullmatch(uri) and "firehose" not in pieces[4]:
        raise faults.bad_request(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
        )


def _mapping(name: str, source: str) -> None:
    pieces = name.split(".", 3)
    good = len(pieces) == 4 and pieces[:2] == ["integration", "request"]
    if not good or pieces[2] not in ("header", "querystring", "path"):
        raise _wrong(name)
    if not source.startswith(("method.request.", "stageVariables.", "context.")) and not _quoted(source):
        raise _wrong(source)


def _quoted(text: str) -> bool:
    return len(text) >= 2 and text[0] == text[-1] == "'"


def _wrong(text: str) -> ServiceError:
    return faults.bad_request(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
        f"[Invalid mapping expression specified: {text}]"
    )


def response_parameters(given: dict[str, str], declared: dict[str, bool]) -> None:
    """Of an integration response: what they set has to be declared by the method's response."""
    for name, source in given.items():
        if not name.startswith("method.response.header.") or len(name) <= len("method.response.header."):
            raise _wrong(name)
        if name not in declared:
            raise faults.bad_request(f"Invalid mapping expression parameter specified: {name}")
        if not source.startswith(("integration.response.", "stageVariables.", "context.")) and not _quoted(source):
            raise _wrong(source)
