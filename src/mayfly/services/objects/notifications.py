"""Which events go where, and what they look like: notification rules and S3's event records. Pure.

Destinations are functions, queues and topics. S3 sends its `s3:TestEvent` to queues and topics alone; of a function it
merely checks the permission.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, unquote_plus

import msgspec

from mayfly.clock import iso_millis
from mayfly.ids import Arn
from mayfly.services.contract import RequestContext
from mayfly.services.objects.errors import error, invalid_argument
from mayfly.services.objects.model import Bucket, Rule
from mayfly.services.objects.versioning import NULL
from mayfly.services.ports import TargetOptions

CREATED_PUT: Final = "ObjectCreated:Put"
CREATED_COPY: Final = "ObjectCreated:Copy"
CREATED_COMPLETE: Final = "ObjectCreated:CompleteMultipartUpload"
REMOVED_DELETE: Final = "ObjectRemoved:Delete"
REMOVED_MARKER: Final = "ObjectRemoved:DeleteMarkerCreated"
TAGGING_PUT: Final = "ObjectTagging:Put"
TAGGING_DELETE: Final = "ObjectTagging:Delete"

# Every event type that S3 knows; those of features that Mayfly lacks never happen, in S3 neither without them.
_KNOWN: Final = frozenset(
    {
        "s3:ReducedRedundancyLostObject",
        "s3:ObjectCreated:*",
        "s3:ObjectCreated:Put",
        "s3:ObjectCreated:Post",
        "s3:ObjectCreated:Copy",
        "s3:ObjectCreated:CompleteMultipartUpload",
        "s3:ObjectRemoved:*",
        "s3:ObjectRemoved:Delete",
        "s3:ObjectRemoved:DeleteMarkerCreated",
        "s3:ObjectRestore:*",
        "s3:ObjectRestore:Post",
        "s3:ObjectRestore:Completed",
        "s3:ObjectRestore:Delete",
        "s3:Replication:*",
        "s3:Replication:OperationFailedReplication",
        "s3:Replication:OperationNotTracked",
        "s3:Replication:OperationMissedThreshold",
        "s3:Replication:OperationReplicatedAfterThreshold",
        "s3:LifecycleTransition",
        "s3:IntelligentTiering",
        "s3:ObjectAcl:Put",
        "s3:LifecycleExpiration:*",
        "s3:LifecycleExpiration:Delete",
        "s3:LifecycleExpiration:DeleteMarkerCreated",
        "s3:ObjectTagging:*",
        "s3:ObjectTagging:Put",
        "s3:ObjectTagging:Delete",
    }
)
_MAX_FILTER_BYTES: Final = 1024


class _Kind(NamedTuple):
    """One kind of destination, as configurations spell it."""

    configurations: str
    target: str
    service: str  # in the ARN
    prefix: str  # of what the ARN names
    argument: str  # in errors


_KINDS: Final = (
    _Kind("LambdaFunctionConfigurations", "LambdaFunctionArn", "lambda", "function:", "CloudFunction"),
    _Kind("QueueConfigurations", "QueueArn", "sqs", "", "Queue"),
    _Kind("TopicConfigurations", "TopicArn", "sns", "", "Topic"),
)
OPTIONS: Final = TargetOptions(subject="Amazon S3 Notification")
_OVERLAP: Final = (
    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
    "overlapping for the same event type."
)


class Happening(NamedTuple):
    """What happened to an object, as far as an event tells it."""

    event: str  # "ObjectCreated:Put"
    key: str
    size: int | None = None  # None where S3 leaves it out
    etag: str | None = None
    version_id: str | None = None


def parse(configuration: Mapping[str, Any], fresh_ids: Iterable[str]) -> tuple[Rule, ...]:
    """The rules of a NotificationConfiguration; `fresh_ids` name those that came without an Id."""
    names = iter(fresh_ids)
    rules = tuple(
        _rule(kind, entry, entry.get("Id") or next(names))
        for kind in _KINDS
        for entry in configuration.get(kind.configurations, ())
    )
    if len({rule.id for rule in rules}) < len(rules):
        raise error("InvalidArgument", "Same ID used for multiple configurations. IDs must be unique")
    for index, rule in enumerate(rules):
        for other in rules[index + 1 :]:
            if _overlap(rule, other):
                raise error("InvalidArgument", _OVERLAP)
    return rules


def render(rules: Sequence[Rule]) -> dict[str, Any]:
    """The NotificationConfiguration that `parse` read."""
    shown: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        kind = _kind(rule)
        entry: dict[str, Any] = {"Id": rule.id, kind.target: rule.target, "Events": list(rule.events)}
        named = (("Prefix", rule.prefix), ("Suffix", rule.suffix))
        filters = [{"Name": name, "Value": value} for name, value in named if value is not None]
        if filters:
            entry["Filter"] = {"Key": {"FilterRules": filters}}
        shown.setdefault(kind.configurations, []).append(entry)
    return dict(shown)


def how_many(configuration: Mapping[str, Any]) -> int:
    """How many rules a configuration has."""
    return sum(len(configuration.get(kind.configurations, ())) for kind in _KINDS)


def tested(rules: Sequence[Rule]) -> list[str]:
    """The destinations that get a test event, each once."""
    return list(dict.fromkeys(rule.target for rule in rules if _kind(rule).service != "lambda"))


def test_event(bucket: str, context: RequestContext, now: float) -> bytes:
    """What queues and topics get when they become destinations."""
    return msgspec.json.encode(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": iso_millis(now),
            "Bucket": bucket,
            "RequestId": context.request_id,
            "HostId": _host_id(context.request_id),
        }
    )


def matching(rules: Sequence[Rule], happening: Happening) -> list[Rule]:
    """The rules whose target hears of what happened."""
    return [
        rule
        for rule in rules
        if any(_covers(event, f"s3:{happening.event}") for event in rule.events)
        and happening.key.startswith(unquote_plus(rule.prefix or ""))
        and happening.key.endswith(unquote_plus(rule.suffix or ""))
    ]


def record(
    bucket: Bucket, rule: Rule, happening: Happening, context: RequestContext, *, now: float, sequence: int
) -> bytes:
    """The event that a destination receives: the JSON text of S3's message structure."""
    about: dict[str, object] = {"key": encode_key(happening.key)}
    if happening.size is not None:
        about["size"] = happening.size
    if happening.etag is not None:
        about["eTag"] = happening.etag
    if happening.version_id not in (None, NULL):
        about["versionId"] = happening.version_id
    about["sequencer"] = f"{sequence:018X}"
    return msgspec.json.encode(
        {
            "Records": [
                {
                    # 2.3 is the version of the record types that S3 added later, tagging among them.
                    "eventVersion": "2.3" if happening.event.startswith("ObjectTagging:") else "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": bucket.region,
                    "eventTime": iso_millis(now),
                    "eventName": happening.event,
                    "userIdentity": {"principalId": f"AWS:{context.principal.user_id}"},
                    "requestParameters": {"sourceIPAddress": context.source_ip},
                    "responseElements": {
                        "x-amz-request-id": context.request_id,
                        "x-amz-id-2": _host_id(context.request_id),
                    },
                    "s3": {
                        "s3SchemaVersion": "1.0",
                        "configurationId": rule.id,
                        "bucket": {
                            "name": bucket.name,
                            "ownerIdentity": {"principalId": bucket.account},
                            "arn": bucket_arn(bucket.name),
                        },
                        "object": about,
                    },
                }
            ]
        }
    )


def bucket_arn(name: str) -> str:
    """The ARN of a bucket, which has neither region nor account."""
    return str(Arn("s3", "", "", name))


def encode_key(key: str) -> str:
    """A key percent-encoded as S3 does it in events and in listings with encoding-type=url."""
    return quote_plus(key, safe="/*")


def _host_id(request_id: str) -> str:
    # What the reply to the same request has in its header of that name.
    return base64.b64encode(hashlib.sha256(request_id.encode()).digest()).decode("ascii")


def _rule(kind: _Kind, entry: Mapping[str, Any], name: str) -> Rule:
    events = tuple(entry["Events"])
    for event in events:
        if event not in _KNOWN:
            raise invalid_argument("A specified event is not supported for notifications", "Event", event)
    if not events:
        raise error("MalformedXML")
    target = entry[kind.target]
    _check_target_arn(kind, target)
    values: dict[str, str] = {}
    for rule in entry.get("Filter", {}).get("Key", {}).get("FilterRules", ()):
        part = str(rule.get("Name", "")).lower()
        value = str(rule.get("Value", ""))
        if part not in ("prefix", "suffix"):
            raise invalid_argument("filter rule name must be either prefix or suffix", "FilterRule.Name", part)
        if part in values:
            raise invalid_argument(f"Cannot specify more than one {part} rule in a filter.", "FilterRule.Name", part)
        if len(value.encode()) > _MAX_FILTER_BYTES:
            raise invalid_argument("filter value cannot be more than 1024 bytes", "FilterRule.Value", value)
        values[part] = value
    return Rule(name, target, events, values.get("prefix"), values.get("suffix"))


def _check_target_arn(kind: _Kind, target: str) -> None:
    try:
        arn = Arn.parse(target)
    except ValueError:
        arn = None
    if arn is None or arn.service != kind.service or not arn.resource.startswith(kind.prefix):
        raise invalid_argument("The ARN could not be parsed", kind.argument, target)
    if arn.resource.endswith(".fifo"):
        raise invalid_argument(
            "Unable to validate the following destination configurations",
            target,
            "S3 does not send to FIFO queues and topics.",
        )


def _kind(rule: Rule) -> _Kind:
    service = Arn.parse(rule.target).service
    return next(kind for kind in _KINDS if kind.service == service)


def _overlap(one: Rule, other: Rule) -> bool:
    """Whether some event of some key would go to both."""
    same_event = any(_covers(a, b) or _covers(b, a) for a in one.events for b in other.events)
    prefixes = unquote_plus(one.prefix or ""), unquote_plus(other.prefix or "")
    suffixes = unquote_plus(one.suffix or ""), unquote_plus(other.suffix or "")
    return (
        same_event
        and (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0]))
        and (suffixes[0].endswith(suffixes[1]) or suffixes[1].endswith(suffixes[0]))
    )


def _covers(pattern: str, event: str) -> bool:
    return pattern == event or (pattern.endswith(":*") and event.startswith(pattern[:-1]))
