"""`DeadLetterConfig`: the queue or topic that gets an event, as it came, when it is given up. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.ids import Arn
from mayfly.services.functions import faults
from mayfly.services.ports import MessageAttribute

MOST_MESSAGE = 1024  # bytes of ErrorMessage, as AWS cuts it


def target_of(given: Mapping[str, Any]) -> str | None:
    """The ARN in a request's DeadLetterConfig, None where it clears it; `ServiceError` for other kinds of target."""
    arn = given.get("TargetArn")
    if not arn:
        return None
    try:
        service = Arn.parse(arn).service
    except ValueError:
        service = ""
    if service not in ("sqs", "sns"):
        raise faults.invalid_parameter(
            f"The target ARN {arn} is invalid: dead letters go to an Amazon SQS queue or an Amazon SNS topic."
        )
    return str(arn)


def attributes(request_id: str, code: int, message: str) -> dict[str, MessageAttribute]:
    """What a dead letter says beside the event: which one it was, and why it was given up."""
    said = message.encode()[:MOST_MESSAGE].decode(errors="ignore") or "Unknown"
    return {
        "RequestID": MessageAttribute("String", request_id),
        "ErrorCode": MessageAttribute("Number", str(code)),
        "ErrorMessage": MessageAttribute("String", said),
    }


class _Error(msgspec.Struct):
    errorMessage: str = ""  # noqa: N815 - the runtimes' name


def message_of(payload: bytes) -> str:
    """What a function's error says of itself."""
    try:
        return msgspec.json.decode(payload, type=_Error).errorMessage
    except (msgspec.DecodeError, RecursionError):
        return payload[:MOST_MESSAGE].decode(errors="replace")
