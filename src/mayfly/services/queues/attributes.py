"""Attributes of queues: from the strings that callers send to a `Queue`, and back. Pure."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from mayfly.services.queues import names, resource_policy
from mayfly.services.queues.errors import invalid, invalid_attribute, unknown_attribute
from mayfly.services.queues.model import MAX_MESSAGE_BYTES, MAX_VISIBILITY_S, Queue, Redrive, RedriveAllow

MAX_RECEIVES: Final = 1000
MAX_ALLOWED: Final = 10

# By name: the field of `Queue`, the least and the most.
_NUMBERS: Final[Mapping[str, tuple[str, int, int]]] = MappingProxyType(
    {
        "VisibilityTimeout": ("visibility_s", 0, MAX_VISIBILITY_S),
        "DelaySeconds": ("delay_s", 0, 900),
        "ReceiveMessageWaitTimeSeconds": ("wait_s", 0, 20),
        "MessageRetentionPeriod": ("retention_s", 60, 14 * 24 * 3600),
        "MaximumMessageSize": ("max_bytes", 1024, MAX_MESSAGE_BYTES),
    }
)
_READ_ONLY: Final = frozenset(
    {
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
        "CreatedTimestamp",
        "LastModifiedTimestamp",
        "QueueArn",
    }
)
_FIFO_ONLY: Final = frozenset({"ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"})
NAMES: Final = frozenset(
    {*_NUMBERS, *_READ_ONLY, *_FIFO_ONLY, "FifoQueue", "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "Policy"}
    | {"RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled"}
)


def changed(queue: Queue, given: Mapping[str, str]) -> Queue:
    """`queue` with the attributes of a request; `ServiceError`. What they refer to is not looked for."""
    changes: dict[str, Any] = {}
    for name, text in given.items():
        if name not in NAMES or name in _READ_ONLY:
            raise unknown_attribute(name)
        if name in _NUMBERS:
            changes[_NUMBERS[name][0]] = _number(name, text)
        else:
            changes |= _READERS[name](queue, text)
    found = msgspec.structs.replace(queue, **changes)
    if found.throughput == "perMessageGroupId" and found.deduplication_scope != "messageGroup":
        raise invalid_attribute(
            "FifoThroughputLimit", "DeduplicationScope must be messageGroup with perMessageGroupId."
        )
    return found


def differing(queue: Queue, other: Queue, given: Mapping[str, str]) -> str | None:
    """The first attribute of a request in which two queues differ, or None."""
    for name in given:
        if described(queue).get(name) != described(other).get(name):
            return name
    return None


def described(queue: Queue) -> dict[str, str]:
    """The attributes that a queue was given, or has by default, as strings."""
    found = {name: str(getattr(queue, field)) for name, (field, _, _) in _NUMBERS.items()}
    found["SqsManagedSseEnabled"] = _flag(queue.managed_sse)
    if queue.fifo:
        found["FifoQueue"] = "true"
        found["ContentBasedDeduplication"] = _flag(queue.content_deduplication)
        found["DeduplicationScope"] = queue.deduplication_scope
        found["FifoThroughputLimit"] = queue.throughput
    if queue.policy:
        found["Policy"] = queue.policy
    if queue.redrive is not None:
        policy = {"deadLetterTargetArn": queue.redrive.target_arn, "maxReceiveCount": queue.redrive.max_receives}
        found["RedrivePolicy"] = json.dumps(policy, separators=(",", ":"))
    if queue.redrive_allow is not None:
        allow: dict[str, Any] = {"redrivePermission": queue.redrive_allow.permission}
        if queue.redrive_allow.sources:
            allow["sourceQueueArns"] = list(queue.redrive_allow.sources)
        found["RedriveAllowPolicy"] = json.dumps(allow, separators=(",", ":"))
    return found


def may_use(target: Queue, source_arn: str) -> bool:
    """Whether the queue with `source_arn` may have `target` as its dead-letter queue."""
    allow = target.redrive_allow
    if allow is None or allow.permission == "allowAll":
        return True
    return allow.permission == "byQueue" and source_arn in allow.sources


def _number(name: str, text: str) -> int:
    _, least, most = _NUMBERS[name]
    try:
        number = int(text)
    except ValueError:
        raise invalid_attribute(name) from None
    if not least <= number <= most:
        raise invalid_attribute(name)
    return number


def _boolean(name: str, text: str) -> bool:
    lowered = text.lower()
    if lowered not in {"true", "false"}:
        raise invalid_attribute(name)
    return lowered == "true"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _fifo(queue: Queue, text: str) -> dict[str, Any]:
    if not queue.fifo:
        raise unknown_attribute("FifoQueue")
    if not _boolean("FifoQueue", text):
        raise invalid_attribute("FifoQueue", "Modifying queue type is not supported.")
    return {}


def _content_deduplication(queue: Queue, text: str) -> dict[str, Any]:
    if not queue.fifo:
        raise unknown_attribute("ContentBasedDeduplication")
    return {"content_deduplication": _boolean("ContentBasedDeduplication", text)}


def _choice(name: str, field: str, values: tuple[str, ...]) -> Callable[[Queue, str], dict[str, Any]]:
    def read(queue: Queue, text: str) -> dict[str, Any]:
        if not queue.fifo:
            raise unknown_attribute(name, f"You can specify the {name} only when FifoQueue is set to true.")
        if text not in values:
            raise invalid_attribute(name)
        return {field: text}

    return read


def _redrive(_queue: Queue, text: str) -> dict[str, Any]:
    if not text:
        return {"redrive": None}
    value = _object("RedrivePolicy", text)
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if name not in value:
            raise invalid(text, "RedrivePolicy", f"Redrive policy does not contain mandatory attribute: {name}.")
    if value.keys() - {"deadLetterTargetArn", "maxReceiveCount"}:
        raise invalid(
            text, "RedrivePolicy", "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount]."
        )
    target, most = value["deadLetterTargetArn"], value["maxReceiveCount"]
    if not isinstance(target, str) or names.key_of_arn(target) is None:
        raise invalid(text, "RedrivePolicy", "Invalid value for deadLetterTargetArn.")
    try:
        count = int(most) if isinstance(most, (int, str)) and not isinstance(most, bool) else 0
    except ValueError:
        count = 0
    if not 1 <= count <= MAX_RECEIVES:
        raise invalid(
            text,
            "RedrivePolicy",
            f"Invalid value for maxReceiveCount: {most}, valid values are from 1 to {MAX_RECEIVES} both inclusive.",
        )
    return {"redrive": Redrive(target, count)}


def _redrive_allow(_queue: Queue, text: str) -> dict[str, Any]:
    if not text:
        return {"redrive_allow": None}
    value = _object("RedriveAllowPolicy", text)
    permission, sources = value.get("redrivePermission"), value.get("sourceQueueArns", [])
    if permission not in {"allowAll", "denyAll", "byQueue"} or not isinstance(sources, list):
        raise invalid_attribute("RedriveAllowPolicy", "redrivePermission must be allowAll, denyAll or byQueue.")
    if (permission == "byQueue") != bool(sources):
        raise invalid_attribute(
            "RedriveAllowPolicy", "sourceQueueArns belong to the permission byQueue, and only to it."
        )
    if len(sources) > MAX_ALLOWED or not all(isinstance(arn, str) and names.key_of_arn(arn) for arn in sources):
        raise invalid_attribute("RedriveAllowPolicy", f"sourceQueueArns are at most {MAX_ALLOWED} ARNs of queues.")
    return {"redrive_allow": RedriveAllow(permission, tuple(sources))}


def _policy(_queue: Queue, text: str) -> dict[str, Any]:
    if text:
        resource_policy.check(text)
    return {"policy": text}


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise invalid(text, name, f"{name} must be a JSON object.")
    return value


def _no_keys(_queue: Queue, text: str) -> dict[str, Any]:
    if not text:
        return {}
    raise invalid_attribute("KmsMasterKeyId", "Mayfly has no KMS keys; encrypt the disk that its data directory is on.")


def _ignored_without_key(_queue: Queue, text: str) -> dict[str, Any]:
    if not text.isdecimal() or not 60 <= int(text) <= 86_400:
        raise invalid_attribute("KmsDataKeyReusePeriodSeconds")
    return {}


_READERS: Final[Mapping[str, Callable[[Queue, str], dict[str, Any]]]] = MappingProxyType(
    {
        "FifoQueue": _fifo,
        "ContentBasedDeduplication": _content_deduplication,
        "DeduplicationScope": _choice("DeduplicationScope", "deduplication_scope", ("queue", "messageGroup")),
        "FifoThroughputLimit": _choice("FifoThroughputLimit", "throughput", ("perQueue", "perMessageGroupId")),
        "RedrivePolicy": _redrive,
        "RedriveAllowPolicy": _redrive_allow,
        "Policy": _policy,
        "KmsMasterKeyId": _no_keys,
        "KmsDataKeyReusePeriodSeconds": _ignored_without_key,
        "SqsManagedSseEnabled": lambda _queue, text: {"managed_sse": _boolean("SqsManagedSseEnabled", text)},
    }
)
