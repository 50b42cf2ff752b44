"""All configuration: one frozen, nested object with its defaults, made once by the composition root.

Only `app.py` and `cli` read the environment, and hand the result here. There are few knobs on purpose; the quotas are
AWS's defaults.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Isolation = str  # "namespace", "process", "container", "gvisor", or the name of a configured OCI runtime
KeepAlive = Literal["learned", "fixed"]


@dataclass(frozen=True, slots=True)
class FunctionLimits:
    """Quotas of functions; the defaults are those of AWS Lambda."""

    payload_bytes: int = 6 * 1024 * 1024  # synchronous request and reply, each
    async_payload_bytes: int = 1024 * 1024
    stream_bytes: int = 200 * 1024 * 1024  # reply that is read as it comes
    unzipped_bytes: int = 250 * 1024 * 1024  # code and layers together
    zip_inline_bytes: int = 50 * 1024 * 1024
    code_storage_bytes: int = 75 * 1024**3  # the zips of all functions together
    environment_bytes: int = 4 * 1024
    timeout_s: int = 900
    memory_mb: tuple[int, int] = (128, 10_240)
    ephemeral_mb: tuple[int, int] = (512, 10_240)
    processes: int = 1024  # threads and processes of one instance
    open_files: int = 1024
    least_cpus: float = 0.0  # processors of an instance, however little memory it has; see `policy.processors`
    account_concurrency: int = 1000
    unreserved_minimum: int = 100  # what reservations leave to all others, at least


@dataclass(frozen=True, slots=True)
class OciRuntime:
    """An OCI runtime that makes a level of its own."""

    name: str  # of the level: [a-z][a-z0-9-]*
    program: Path
    arguments: tuple[str, ...] = ()  # before the subcommand


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Instances: how they are isolated and how long they are kept."""

    isolation: Isolation = "namespace"
    require_level: str | None = None  # the weakest level that any function may run at; None: the server's own will do
    egress: str = "none"  # what functions may reach that say nothing of it, in the words of `policy.egress`
    runtime_substitution: bool = True  # another version of the same language may run a function, with a warning
    retired_runtimes: bool = False  # so it may those of runtimes that AWS accepts no longer
    keep_alive: KeepAlive = "learned"  # by each function's own idle times, or the same time for all
    keep_alive_s: float = 300.0  # that time
    init_timeout_s: float = 10.0
    memory_mb: int | None = None  # what limits of all instances add up to at most; None: four times the machine's
    queue_s: float = 10.0  # how long a call waits for memory before it is refused; 0: not at all
    scaling_burst: int = 1000  # instances of one function that may be started for calls at once; 0: any number
    scaling_per_s: float = 100.0  # and then as many a second
    calls_per_concurrency: float | None = None  # calls a second for each unit of concurrency (AWS: 10); None: any
    oci_runtimes: tuple[OciRuntime, ...] = ()
    spares: int | None = None  # most sandboxes made ahead of calls; None: what 1 % of the machine's memory holds


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Container images: where they may come from, and how large they may be. The quota of size is AWS's."""

    directories: tuple[Path, ...] = ()  # below which an ImageUri may name layouts and archives; none by default
    registries: tuple[str, ...] | None = None  # host:port of those that may be asked at all; None: any
    insecure_registries: tuple[str, ...] = ()  # host:port of those that may be asked over plain HTTP
    auth_file: Path | None = None  # credentials for registries, as `skopeo login` and `docker login` write them
    uncompressed_bytes: int = 10 * 1024**3  # all layers of an image together
    entries: int = 1_000_000  # files of a layer
    fetch_timeout_s: float = 1800.0
    unpack_timeout_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The front door."""

    host: str = "127.0.0.1"
    port: int = 4566
    workers: int = 0  # front processes that accept connections and run calls beside this one
    header_bytes: int = 64 * 1024  # request line and headers together
    keep_alive_s: float = 75.0
    body_bytes: int = 70_167_211  # of an operation whose input is not a stream; 50 MiB of code are longer in base64


@dataclass(frozen=True, slots=True)
class OutgoingSettings:
    """Requests that the platform itself sends: to subscriptions, webhooks, API destinations."""

    allow: tuple[str, ...] = ()  # networks among the addresses that are refused otherwise: this machine's, its links'


@dataclass(frozen=True, slots=True)
class EventLimits:
    """Quotas of event buses, for an account and region; the defaults are those of Amazon EventBridge."""

    buses: int = 100
    rules_per_bus: int = 300
    targets_per_rule: int = 5
    archives: int = 100
    active_replays: int = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the composition root needs to build a platform."""

    data: Path
    account: str = "000000000000"
    region: str = "us-east-1"
    http: HttpSettings = field(default_factory=HttpSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    limits: FunctionLimits = field(default_factory=FunctionLimits)
    images: ImageSettings = field(default_factory=ImageSettings)
    outgoing: OutgoingSettings = field(default_factory=OutgoingSettings)
    events: EventLimits = field(default_factory=EventLimits)
    # What any stack may have without effect, though Mayfly has it not: types, services of AWS, or `all`.
    accept_inert: tuple[str, ...] = ()
    max_clock_skew_s: float = 900.0
