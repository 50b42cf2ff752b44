"""What services need of one another, as the small Protocols that `app.py` fills in.

A service imports these, never another service.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from mayfly.services.contract import Principal, RequestContext
from mayfly.store.api import Reader, Tx


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What is needed to verify a signature made with an access key."""

    secret_access_key: str
    principal: Principal
    expires_at: float = float("inf")  # Unix seconds


class KeySource(Protocol):
    """Given by identity, used by the wire."""

    async def find(self, access_key_id: str, session_token: str | None) -> SigningKey:
        """The key; `ServiceError` InvalidClientTokenId (unknown key, bad token) or ExpiredToken.

        Fast: keys in use are answered from memory.
        """


class Roles(Protocol):
    """Given by identity, used by functions."""

    async def exists(self, role_arn: str) -> bool: ...

    async def trusts(self, role_arn: str, service: str) -> bool:
        """Whether the role's trust policy lets `service` ("lambda.amazonaws.com") assume it."""

    async def credentials(self, role_arn: str, session_name: str, duration_s: int) -> Credentials:
        """Fresh credentials of a role for a platform service; `ServiceError` NoSuchEntity."""


class CodeSource(Protocol):
    """Given by objects, used by functions and stacks: the bytes of an object."""

    async def open(self, bucket: str, key: str, version: str | None) -> AsyncIterator[bytes]:
        """`ServiceError` NoSuchBucket, NoSuchKey or NoSuchVersion."""


class ObjectSink(Protocol):
    """Given by objects, used by functions: objects that the platform itself writes."""

    async def has_bucket(self, bucket: str) -> bool:
        """Whether there is such a bucket."""

    async def put(self, bucket: str, key: str, body: bytes, content_type: str, source: "Source") -> None:
        """Write an object on behalf of `source`; durable on return. `ServiceError` NoSuchBucket."""


@dataclass(frozen=True, slots=True)
class MessageAttribute:
    """One attribute of a message of queues and topics."""

    data_type: str  # "String", "Number", "Binary", each with an optional ".suffix"
    value: str | bytes  # bytes where the type is binary


@dataclass(frozen=True, slots=True)
class Source:
    """On whose behalf a service acts."""

    principal: str  # the service, "sns.amazonaws.com"
    arn: str
    account: str


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What some kinds of target are told besides the event; the others ignore it."""

    group_id: str | None = None  # of FIFO queues and topics; fair queueing on standard ones
    deduplication_id: str | None = None
    source: str | None = None  # of event buses, whose event has what is sent as its detail; None: it is a whole event
    detail_type: str | None = None  # of event buses, likewise
    resources: tuple[str, ...] = ()  # of event buses, likewise
    subject: str | None = None  # of topics
    trace_header: str | None = None  # of functions and queues: the trace that the event is part of
    attributes: Mapping[str, MessageAttribute] = field(default_factory=dict)  # of queues and topics
    on_behalf_of: Source | None = None  # whom a Deny in a queue's or topic's policy may keep out; None: nobody asks


PLAIN = TargetOptions()


class EventTargets(Protocol):
    """Given by every service that events can be sent to, each for its own ARNs, and by the composition root for all of
    them; used by every source of events. An event is JSON: a function is invoked with it, a queue gets it as the
    body of a message, a topic as what is published."""

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        """`ServiceError` unless `arn` names what exists and `principal` may send to on behalf of `source_arn`."""

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        """Accept one event as part of the caller's transaction: durable with it, acted upon after it.

        `ServiceError` when the target cannot take it (`arn` names nothing here; a FIFO queue without a group);
        nothing was written then.
        """


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message for a queue from inside the platform, with all that a sender outside may say of it."""

    body: str
    attributes: Mapping[str, MessageAttribute] = field(default_factory=dict)
    group_id: str | None = None  # FIFO queues demand one; fair queueing on standard ones
    deduplication_id: str | None = None  # FIFO queues demand one, unless they deduplicate by content
    delay_s: int | None = None  # None: what the queue says; standard queues only
    trace_header: str | None = None  # the system attribute AWSTraceHeader
    sender_id: str = ""  # the system attribute SenderId; empty: the platform
    source: Source | None = None  # whom a Deny of the queue's policy may keep out; None: nobody asks


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What a queue made of a message."""

    message_id: str
    sequence_number: str | None = None  # of FIFO queues


class QueueSink(Protocol):
    """Given by queues, used by services that hand messages over with more than a body."""

    def send(self, tx: Tx, queue_arn: str, message: QueueMessage) -> SentMessage:
        """Send one message as part of the caller's transaction: durable with it, received after it.

        A message that a FIFO queue has had within its deduplication interval is not sent again, and no error.
        `ServiceError` when the queue cannot take it (there is none; the body or an attribute breaks a rule; a FIFO
        queue without a group); nothing was written then.
        """


class DestinationCalls(Protocol):
    """Given by events, used by pipes: requests to API destinations."""

    async def deliver(
        self,
        arn: str,
        body: bytes,
        path_values: Sequence[str],
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> bytes:
        """Make one attempt; what the endpoint answered. `ServiceError` unless it took it (2xx).

        `path_values`: one for each `*` of its path.
        """


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that was received, and is held until its visibility timeout ends."""

    handle: str
    shown: Mapping[str, Any]  # a `Message` of ReceiveMessage, with every attribute


class QueueSource(Protocol):
    """Given by queues, used by whoever works through a queue inside the platform: pipes, event source mappings."""

    async def visibility_s(self, queue_arn: str) -> int:
        """How long the queue holds what was received; `ServiceError` when there is no such queue."""

    async def receive(self, queue_arn: str, most: int, wait_s: float) -> Sequence[HeldMessage]:
        """Up to `most` messages, as soon as there are any, none after `wait_s` (≤ 20); of a FIFO queue, in order and
        none that follows one in flight. `ServiceError` when there is no such queue. Nothing is held for who is
        cancelled."""

    def delete(self, tx: Tx, queue_arn: str, handles: Sequence[str]) -> int:
        """Delete messages that are held, as part of the caller's transaction; how many were. Fewer than there are
        handles: the others are held no more, and may have been received again."""

    def give_back(self, tx: Tx, queue_arn: str, handles: Sequence[str]) -> int:
        """Make messages visible that nobody has looked at, as if they had not been received; how many were held still.
        Their handles must not be used any more."""

    def hold(self, tx: Tx, queue_arn: str, handles: Sequence[str], visibility_s: int) -> int:
        """Hold messages until `visibility_s` from now, 0 to give them back; of how many that was possible."""


class ShardInfo(NamedTuple):
    """A shard of a stream."""

    id: str
    parents: tuple[str, ...] = ()  # it goes on where these ended


class ShardRecord(NamedTuple):
    """A record of a stream, in its place."""

    sequence: str  # decimal; rises within a shard, and from a shard to its children
    partition_key: str
    arrived_at: float  # Unix seconds
    content: Any  # as the kind of stream has it: bytes of data streams, the change of an item of table streams


class ShardPage(NamedTuple):
    """What was read of a shard."""

    records: Sequence[ShardRecord]
    ended: bool  # nothing will ever follow


class ShardSource(Protocol):
    """Given by services with streams, each for its own ARNs; used by whoever reads streams inside the platform."""

    async def shards(self, stream_arn: str) -> Sequence[ShardInfo]:
        """All shards that anything is kept of, parents first; `ServiceError` when there is no such stream."""

    async def begin(self, stream_arn: str, shard: str, position: str, at: float | None) -> str:
        """Behind which sequence number to read on from a position: TRIM_HORIZON, LATEST or AT_TIMESTAMP (`at`, Unix
        seconds). "0" for the beginning. `ServiceError` when there is no such stream or shard."""

    async def read(self, stream_arn: str, shard: str, after: str, most: int, wait_s: float) -> ShardPage:
        """Up to `most` records behind a sequence number, as soon as there are any, none after `wait_s`. What was
        trimmed meanwhile is left out. `ServiceError` when there is no such stream or shard."""


class PlatformEvents(Protocol):
    """Given by events, used by services that tell what happens to their resources: the default bus."""

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        """Put one event of the platform ("aws.s3", "Object Created") on the default bus, in the caller's transaction.

        Costs next to nothing while no rule or archive can match it. Never raises `ServiceError`.
        """


class Unheard:
    """`PlatformEvents` where there is no bus: for services that run alone."""

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        """Nobody listens."""


UNHEARD = Unheard()


class Ticks(Protocol):
    """Given by whoever has something happen on schedule, used by the ticker."""

    def tick(self, tx: Tx, key: str, at: float) -> None:
        """The tick of `key` at `at` (Unix seconds, as scheduled), once for each, in the transaction that moves the
        ticker on. Never raises `ServiceError`; a key that nobody knows any more does nothing.
        """


class Ticker(Protocol):
    """Given by schedules, used by events: what comes due again and again, by the clock, over restarts."""

    def check(self, expression: str) -> None:
        """`ValueError` unless `expression` is `rate(...)` or `cron(...)` as rules of EventBridge have it (UTC)."""

    def put(self, tx: Tx, key: str, expression: str) -> None:
        """Let `key` tick by `expression` from now on, in place of what it ticked by before."""

    def remove(self, tx: Tx, key: str) -> None:
        """Let `key` tick no more. Idempotent."""


# Made for every call and part of no cycle, so the garbage collector need not look at them.


class LogLines(Struct, frozen=True, array_like=True, gc=False):
    """Lines of one log."""

    group: str
    stream: str
    events: list[tuple[int, str]]  # Unix milliseconds, text


class UsageRecord(Struct, frozen=True, array_like=True, gc=False):
    """What one invocation used. Stored in the order of its fields: new ones come last and have a default."""

    request_id: str
    function_arn: str  # with the version executed
    account: str
    started_at: float  # Unix seconds
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    memory_mb: int
    peak_memory_mb: int
    ephemeral_mb: int
    architecture: str
    outcome: str  # "ok" | "error" | "timeout" | ...
    source: str  # "request" | "event" | "url"
    tenant: str = ""  # on whose behalf, where the function keeps its tenants apart
    qualifier: str = ""  # by which it was called: an alias, a version, $LATEST; empty: by none


class CallRecords(Protocol):
    """Given by the composition root, used by functions: what telemetry and metering keep of calls."""

    def append(self, lines: Sequence[LogLines], usages: Sequence[UsageRecord]) -> None:
        """Record all of them, or none. On return they survive the death of this process.

        `PlatformError` when they cannot be recorded.
        """


class FunctionCounts(Protocol):
    """Given by the composition root, used by functions: numbers for the metrics of `AWS/Lambda` that no record of a
    call holds."""

    def count(
        self, metric: str, dimensions: Sequence[tuple[str, str]], amount: float = 1.0, unit: str = "Count"
    ) -> None:
        """Add to a metric, now, in a unit of CloudWatch's. What was counted within a second of a crash may be lost; it
        says nothing of work."""


class ProvisionedUse(Protocol):
    """Given by functions, used by autoscaling: how much of what is kept ready is used."""

    async def use(self, function: str, qualifier: str) -> tuple[int, int] | None:
        """How many provisioned instances of a version or alias ran calls at a time, at most, since this was asked last;
        and how many there are. None where none are asked for."""


class AlarmStates(Protocol):
    """Given by metrics, used by functions: how alarms stand."""

    def states(self, reader: Reader, names: Sequence[str]) -> Mapping[str, str]:
        """ "OK", "ALARM" or "INSUFFICIENT_DATA" by name, of those that there are."""


class CallLedger(Protocol):
    """Given by the composition root, used by functions: the record of every call that ran."""

    async def settle(self) -> None:
        """Return when everything that was recorded before the call is in the database."""

    def position(self, reader: Reader) -> int:
        """The position after the last records."""

    def records_after(self, reader: Reader, position: int, limit: int) -> tuple[int, list[UsageRecord]]:
        """Up to `limit` batches of records that came after `position`, and the position after them."""


class Vault(Protocol):
    """Given by the composition root, used by services that keep secrets of others: what they are at rest."""

    def seal(self, plain: bytes, about: str) -> bytes:
        """Encrypt a secret for one use, e.g. the ARN of what it belongs to."""

    def open(self, sealed: bytes, about: str) -> bytes:
        """What was sealed for that very use; `PlatformError` when it cannot be read any more."""


class Operations(Protocol):
    """Given by the wire, used by stacks: any operation of any service, in process, validated like one from outside."""

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The reply; `ServiceError`."""


class SdkOperations(Protocol):
    """Given by the wire, used by schedules: operations by the names and the JSON that AWS's SDKs have for them."""

    def find(self, service: str, action: str) -> tuple[str, str] | None:
        """botocore's names for what the SDKs call "sqs" and "sendMessage"; None for what Mayfly does not implement."""

    async def call_json(
        self, context: RequestContext, service: str, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Call an operation that `find` named with parameters as JSON; the reply; `ServiceError`."""


__all__ = [
    "PLAIN",
    "UNHEARD",
    "AlarmStates",
    "CallLedger",
    "CallRecords",
    "CodeSource",
    "Credentials",
    "DestinationCalls",
    "EventTargets",
    "FunctionCounts",
    "HeldMessage",
    "KeySource",
    "LogLines",
    "MessageAttribute",
    "ObjectSink",
    "Operations",
    "PlatformEvents",
    "ProvisionedUse",
    "QueueMessage",
    "QueueSink",
    "QueueSource",
    "Roles",
    "SdkOperations",
    "SentMessage",
    "SigningKey",
    "Source",
    "TargetOptions",
    "Ticker",
    "Ticks",
    "UsageRecord",
    "Vault",
]
