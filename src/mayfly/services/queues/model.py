"""The types of the queues service. Times are Unix milliseconds unless a name says seconds."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from mayfly.ids import Arn

MAX_MESSAGE_BYTES = 1024 * 1024
MAX_BATCH = 10
MAX_IN_FLIGHT = 120_000
MAX_VISIBILITY_S = 12 * 3600
DEDUPLICATION_MS = 5 * 60 * 1000
# A message with more bytes of body is not rewritten with every delivery: its body lies in a table of its own.
INLINE_CHARACTERS = 1024
# Sequence numbers have 20 digits on AWS, and clients compare them as text.
FIRST_SEQUENCE = 18_800_000_000_000_000_000


class Redrive(Struct, frozen=True):
    """Where messages go that were received too often."""

    target_arn: str
    max_receives: int


class RedriveAllow(Struct, frozen=True):
    """Which queues may name this one as their dead-letter queue."""

    permission: Literal["allowAll", "denyAll", "byQueue"]
    sources: tuple[str, ...] = ()


class Queue(Struct, frozen=True, omit_defaults=True):
    """A queue as it is stored."""

    no: int  # for as long as the queue lives
    store: int  # what its messages lie under; another one after each purge
    account: str
    region: str
    name: str
    created_s: int
    modified_s: int
    fifo: bool = False
    purged_at: int = 0
    visibility_s: int = 30
    delay_s: int = 0
    wait_s: int = 0
    retention_s: int = 4 * 24 * 3600
    max_bytes: int = MAX_MESSAGE_BYTES
    content_deduplication: bool = False
    deduplication_scope: Literal["queue", "messageGroup"] = "queue"
    throughput: Literal["perQueue", "perMessageGroupId"] = "perQueue"
    redrive: Redrive | None = None
    redrive_allow: RedriveAllow | None = None
    policy: str = ""  # JSON, as it was given
    managed_sse: bool = True
    tags: Mapping[str, str] = {}

    @property
    def arn(self) -> str:
        return str(Arn("sqs", self.region, self.account, self.name))

    @property
    def key(self) -> "QueueKey":
        return QueueKey(self.account, self.region, self.name)


class QueueKey(NamedTuple):
    """What a queue is called."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return str(Arn("sqs", self.region, self.account, self.name))


Value = tuple[str, Any]  # the type of a message attribute, and its value: bytes of binary types, text of others


class Details(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """What is told of a message besides its body. Stored: new fields come last and have a default."""

    sender: str
    attributes: dict[str, Value] | None = None
    trace_header: str | None = None
    group: str | None = None
    deduplication_id: str | None = None
    dead_letter_source: str | None = None  # ARN of the queue that it was moved away from


class Stored(NamedTuple):
    """A message as it lies in a queue, in the order of the columns of its statements."""

    id: int
    due_at: int
    receives: int
    sent_at: int
    first_at: int | None
    message_id: bytes
    group_no: int | None
    details: bytes
    body: str


class Draft(Struct, frozen=True, gc=False):
    """A message that was checked as far as that is possible without its queue."""

    body: str
    body_md5: str
    size: int  # bytes, attributes included
    details: Details
    delay_s: int | None = None
    attributes_md5: str | None = None
    system_md5: str | None = None
    message_id: bytes = b""


class Sent(NamedTuple):
    """What became of a draft."""

    message_id: bytes
    sequence: int | None


def sequence_number(sequence: int) -> str:
    """The SequenceNumber of a message."""
    return str(FIRST_SEQUENCE + sequence)
