"""What the features of functions stand on: handed by `service` to `features`, each of which takes what it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mayfly.clock import Clock
from mayfly.engine.api import Engine
from mayfly.services.contract import Service
from mayfly.services.functions.asynchronous import EventQueue
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.code.links import CodeLinks
from mayfly.services.functions.code.sources import CodeSources
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.layers.contents import LayerContents
from mayfly.services.functions.names import Home
from mayfly.services.functions.providers.operations import ProviderOperations
from mayfly.services.functions.provisioning import Provisioner
from mayfly.services.functions.publishing import Publisher
from mayfly.services.functions.signing.checking import SigningCheck
from mayfly.services.functions.signing.operations.configs import SigningConfigOperations
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
class Parts:
    """The service without its features."""

    settings: Settings
    clock: Clock
    store: Store
    queue: ReadyQueue
    blobs: Blobs
    home: Home
    roles: Roles
    engine: Engine
    library: CodeLibrary
    sources: CodeSources
    editor: Editor
    publisher: Publisher
    provisioner: Provisioner
    catalog: Catalog
    calls: Invoker
    events: EventQueue
    outside: Outside
    links: CodeLinks
    layers: LayerContents
    layer_sources: CodeSources  # into the library of `layers`
    signing: SigningCheck
    signing_configs: SigningConfigOperations
    providers: ProviderOperations


class Feature(Protocol):
    """Some operations, and what goes on behind them."""

    @property
    def operations(self) -> Sequence[object]:
        """Groups of operations, as `contract.operations_of` takes them."""

    async def start(self) -> None:
        """Begin background work. After functions can be invoked."""

    async def stop(self, grace_s: float) -> None:
        """End it. Before functions can be invoked no more; what takes longer than `grace_s` is cut short."""


@runtime_checkable
class Serving(Protocol):
    """A feature that is a service of its own on the wire, besides."""

    @property
    def service(self) -> Service: ...
