"""Attributes of topics: which there are, which values they have, and how they are shown. Pure."""

import json
from collections.abc import Callable, Mapping

from mayfly.clock import iso_millis
from mayfly.services.topics import delivery_policy, faults, resource_policy
from mayfly.services.topics.model import MOST_MESSAGE_BYTES, Topic

_FEEDBACK = tuple(
    f"{kind}{suffix}"
    for kind in ("Application", "Firehose", "HTTP", "Lambda", "SQS")
    for suffix in ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")
)
_FIFO_ONLY = frozenset({"ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy"})
_RETENTION_DAYS = (1, 365)
_MAX_DISPLAY_NAME = 100
Check = Callable[[str, str], str | None]  # name and value to what is kept


def checked(fifo: bool, name: str, value: str) -> str | None:
    """The value of an attribute as it is kept; None: as if it had not been given."""
    if name in _FIFO_ONLY and not fifo:
        raise faults.invalid(f"{name}: it is an attribute of FIFO topics only")
    check = _CHECKS.get(name)
    if check is None:
        raise faults.invalid("AttributeName")
    return check(name, value)


def shown(topic: Topic, confirmed: int, pending: int, now: float) -> dict[str, str]:
    """What GetTopicAttributes answers."""
    given = dict(topic.attributes)
    policy = delivery_policy.of_topic(given["DeliveryPolicy"]) if "DeliveryPolicy" in given else delivery_policy.NOTHING
    answer = {
        "TopicArn": topic.arn,
        "Owner": topic.account,
        "DisplayName": "",
        "Policy": resource_policy.default(topic.arn, topic.account),
        "SubscriptionsConfirmed": str(confirmed),
        "SubscriptionsPending": str(pending),
        "SubscriptionsDeleted": str(topic.deleted),
        "EffectiveDeliveryPolicy": delivery_policy.effective_of_topic(policy),
    }
    if topic.fifo:
        answer |= {"FifoTopic": "true", "ContentBasedDeduplication": "false", "FifoThroughputScope": "Topic"}
    answer |= given
    days = retention_days(topic)
    if days is not None and topic.archived_since is not None:
        answer["BeginningArchiveTime"] = iso_millis(max(topic.archived_since, now - days * 86400))
    return answer


def retention_days(topic: Topic) -> int | None:
    """For how many days messages are archived; None: they are not."""
    text = topic.attributes.get("ArchivePolicy")
    return None if text is None else int(json.loads(text)["MessageRetentionPeriod"])


def _optional_json_policy(_name: str, value: str) -> str | None:
    if not value.strip():
        return None
    delivery_policy.of_topic(value)
    return value


def _policy(_name: str, value: str) -> str | None:
    return resource_policy.checked(value) if value.strip() else None


def _display_name(name: str, value: str) -> str:
    if len(value) > _MAX_DISPLAY_NAME or not value.isprintable():
        raise faults.invalid(f"{name}: it has at most {_MAX_DISPLAY_NAME} printable characters")
    return value


def _boolean(name: str, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise faults.invalid(f"{name} Reason: Invalid value [{value}]. Must be true or false.")
    return value.lower()


def _one_of(*values: str) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        if value not in values:
            raise faults.invalid(f"{name} Reason: Invalid value [{value}]. Must be one of {', '.join(values)}.")
        return value

    return check


def _max_size(name: str, value: str) -> str:
    least, most = MOST_MESSAGE_BYTES
    if not (value.isascii() and value.isdecimal() and len(value) < 9 and least <= int(value) <= most):
        raise faults.invalid(f"{name}: it is a number of bytes from {least} to {most}")
    return str(int(value))


def _role(name: str, value: str) -> str | None:
    if not value:
        return None
    if not value.startswith("arn:aws:iam::") or ":role/" not in value:
        raise faults.invalid(f"{name}: it is the ARN of a role")
    return value


def _rate(name: str, value: str) -> str | None:
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 4 and int(value) <= 100):
        raise faults.invalid(f"{name}: it is a percentage from 0 to 100")
    return str(int(value))


def _archive(name: str, value: str) -> str | None:
    if not value.strip():
        return None
    try:
        document = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise faults.invalid(f"{name}: failed to parse JSON") from error
    if document == {}:
        return None
    days = document.get("MessageRetentionPeriod") if isinstance(document, dict) and len(document) == 1 else None
    least, most = _RETENTION_DAYS
    if isinstance(days, str) and days.isdecimal() and len(days) < 5:
        days = int(days)
    if isinstance(days, bool) or not isinstance(days, int) or not least <= days <= most:
        raise faults.invalid(f"{name}: MessageRetentionPeriod is a number of days from {least} to {most}")
    return json.dumps({"MessageRetentionPeriod": days}, separators=(",", ":"))


def _key(name: str, value: str) -> None:
    if value:
        raise faults.unserved(
            f"{name}: Mayfly has no KMS; what is stored is as safe as the disk under its data directory"
        )


def _tracing(name: str, value: str) -> str:
    if value == "Active":
        raise faults.unserved(
            f"{name}: Mayfly does not implement active tracing of topics; PassThrough is what it does"
        )
    return _one_of("PassThrough")(name, value)


_CHECKS: dict[str, Check] = {
    "DisplayName": _display_name,
    "Policy": _policy,
    "DeliveryPolicy": _optional_json_policy,
    "SignatureVersion": _one_of("1", "2"),
    "TracingConfig": _tracing,
    "KmsMasterKeyId": _key,
    "MaximumMessageSize": _max_size,
    "ContentBasedDeduplication": _boolean,
    "FifoThroughputScope": _one_of("Topic", "MessageGroup"),
    "ArchivePolicy": _archive,
    **{name: _rate if name.endswith("Rate") else _role for name in _FEEDBACK},
}


def same(topic: Topic, wanted: Mapping[str, str]) -> bool:
    """Whether a topic that exists has the attributes that CreateTopic asks for."""
    return all(topic.attributes.get(name) == value for name, value in wanted.items())
