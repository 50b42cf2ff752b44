"""What the features of functions stand on: handed by `service` to `features`, each of which takes what it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mayfly.services.contract import Service
from mayfly.services.functions.asynchronous import EventQueue
from mayfly.services.functions.code.assembly import Code
from mayfly.services.functions.ground import Ground
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.providers.operations import ProviderOperations
from mayfly.services.functions.signing.checking import SigningCheck
from mayfly.services.functions.signing.operations.configs import SigningConfigOperations
from mayfly.services.functions.stock import Stock


@dataclass(frozen=True)
class Parts(Ground):
    """The service without its features, and what it stands on itself."""

    code: Code
    stock: Stock
    calls: Invoker
    events: EventQueue
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
