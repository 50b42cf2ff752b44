"""What the kinds of APIs stand on: handed by `service` to `kinds`, each of which takes what it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from mayfly.clock import Clock
from mayfly.outgoing.api import StreamingSender
from mayfly.services.apis.directory import Directory
from mayfly.services.contract import HttpRequest, HttpResponse
from mayfly.services.ports import (
    CallRecords,
    EventTargets,
    FunctionCalls,
    KeySource,
    MetricCounts,
    Roles,
    SdkOperations,
    ServiceRequests,
    Signatures,
    Vault,
)
from mayfly.settings import Settings
from mayfly.store.api import Store

PATH: Final = "/_mayfly/api/"  # below which an API is reached without DNS


@dataclass(frozen=True)
class Parts:
    """The platform, as APIs know it."""

    settings: Settings
    clock: Clock
    store: Store
    directory: Directory
    functions: FunctionCalls
    operations: SdkOperations  # of all services, in process
    requests: ServiceRequests  # to all services, as they stand on the wire, in process
    targets: EventTargets  # functions that are called and not waited for
    roles: Roles
    keys: KeySource  # who a role's temporary credentials are
    signatures: Signatures
    outgoing: StreamingSender
    vault: Vault
    records: CallRecords  # access logs and execution logs are lines in it
    counts: MetricCounts  # AWS/ApiGateway
    url: str  # how clients on this machine reach the platform, no trailing slash


class Answering(Protocol):
    """Answers the requests to APIs of one kind."""

    async def answer(self, api_id: str, request: HttpRequest) -> HttpResponse:
        """The response. `request.path` begins with the stage, or with what stands for `$default`; `request.mount` is
        what was taken off before it: nothing where the API was named by the host, `/_mayfly/api/<id>` where by path."""


class DomainAnswering(Protocol):
    """Answers the requests to custom domain names."""

    def knows(self, host: str) -> bool:
        """Whether `host` (lower case, without a port) is a domain name of some API. Asked for every request."""

    async def answer(self, host: str, request: HttpRequest) -> HttpResponse: ...


@dataclass(frozen=True)
class Kind:
    """What one kind of API, or something that several share, adds to the service."""

    groups: Mapping[str, Sequence[object]] = field(default_factory=dict)  # of operations, by the service on the wire
    answers: Mapping[str, Answering] = field(default_factory=dict)  # by the kind in the directory
    domains: DomainAnswering | None = None
    background: "Background | None" = None


class Background(Protocol):
    """What goes on behind it."""

    async def start(self) -> None:
        """Begin, before requests are served."""

    async def stop(self) -> None:
        """End, after the last request was served."""
