"""The nouns of logs, and the limits that CloudWatch Logs documents."""

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 1_048_576  # one message; longer ones are cut
MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576  # messages plus 26 bytes each
EVENT_OVERHEAD_BYTES = 26
PAGE_EVENTS = 10_000
PAGE_BYTES = 1_048_576
PAGE_GROUPS = 50
OLDEST_MS = 14 * 24 * 3600 * 1000  # older events are rejected by PutLogEvents
NEWEST_MS = 2 * 3600 * 1000  # so are those further ahead
RETENTION_DAYS = frozenset(
    (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
)
GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
STREAM_NAME = re.compile(r"[^:*]{1,512}")


class Group(NamedTuple):
    """A log group as it is stored."""

    id: int
    name: str
    created_ms: int
    retention_days: int | None
    stored_bytes: int
    tags: str  # JSON object


class Stream(NamedTuple):
    """A log stream as it is stored."""

    id: int
    group_id: int
    name: str
    created_ms: int
    first_event_ms: int | None
    last_event_ms: int | None
    last_ingestion_ms: int | None


class Event(NamedTuple):
    """One stored event."""

    id: int
    stream: str
    timestamp_ms: int
    ingested_ms: int
    message: str


class Position(NamedTuple):
    """A place between events, in their order: by time, then by arrival."""

    timestamp_ms: int
    id: int


START = Position(-1, -1)
END = Position(2**62, 2**62)
