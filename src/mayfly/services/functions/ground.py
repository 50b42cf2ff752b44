"""What functions stand on: the platform below them, and other services as they know these. Handed in by the root."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mayfly.clock import Clock
from mayfly.engine.api import Engine
from mayfly.services.functions.names import Home
from mayfly.services.ports import (
    AlarmStates,
    CallLedger,
    EventTargets,
    MetricCounts,
    ObjectSink,
    PlatformEvents,
    QueueSink,
    QueueSource,
    Roles,
    ShardSource,
    Vault,
)
from mayfly.settings import Settings
from mayfly.store.api import Blobs, ReadyQueue, Store


@dataclass(frozen=True)
class Outside:
    """Other services, as functions know them."""

    targets: EventTargets  # everything that an event can be sent to
    queue_source: QueueSource
    queue_sink: QueueSink
    vault: Vault
    events: PlatformEvents
    counts: MetricCounts
    objects: ObjectSink
    alarms: AlarmStates
    ledger: CallLedger
    shards: Mapping[str, ShardSource] = field(default_factory=dict)  # streams, by the service in their ARNs


@dataclass(frozen=True)
class Ground:
    """All of it, for everything that is built on it."""

    settings: Settings
    clock: Clock
    store: Store
    queue: ReadyQueue
    blobs: Blobs
    engine: Engine
    home: Home
    roles: Roles
    outside: Outside
