"""The domain types of functions. Frozen: an operation makes a new value, the repository stores it.

A `Function` (its unpublished version, and what concerns all versions), a published `Version` and an `Alias` are one
aggregate each: everything that hangs on one (resource policy, URL, settings of asynchronous invocation) is part of it,
read and written as one row, so that a reader never sees half a change. Callers name any of the three: the `Subject`s.
Defaults are left out of what is stored, so that a new field needs no migration.
"""

from typing import Literal

import msgspec

from mayfly.images.manifest import Process

LATEST = "$LATEST"

AuthType = Literal["NONE", "AWS_IAM"]
Architecture = Literal["x86_64", "arm64"]
PackageType = Literal["Zip", "Image"]
LogLevel = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
SystemLogLevel = Literal["DEBUG", "INFO", "WARN"]
VersionState = Literal["Pending", "Active", "Failed", "Deactivated"]


class ImageCode(msgspec.Struct, frozen=True, omit_defaults=True):
    """What makes a container image a function's code."""

    uri: str  # as somebody named it
    pinned: str  # the same by digest
    process: Process | None = None  # what the image says of the process to start; None until it is ready


class ImageConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a function's author wants otherwise than the image says; None: as the image says."""

    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    working_directory: str | None = None


class Code(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deployment package or a container image, named by what it is."""

    # Hexadecimal. Of the zip: the blob's digest and the name of the extracted directory. Of an image: its manifest's.
    sha256: str
    size: int  # bytes of the zip; 0 for an image, as AWS has it
    unzipped: int  # bytes of all files in it
    image: ImageCode | None = None  # None: it is a zip

    def same(self, other: "Code") -> bool:
        """Whether both would run the same, under the same name."""
        uris = [code.image.uri if code.image is not None else None for code in (self, other)]
        return self.sha256 == other.sha256 and uris[0] == uris[1]


class Layer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version of a layer as a function uses it: by its content, which outlives it."""

    arn: str
    sha256: str  # of the zip, hexadecimal
    size: int  # bytes of the zip
    unzipped: int  # bytes of all files in it
    extends: bool = False  # whether there are external extensions in it


class Update(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image that is to become a function's code once it is ready; or that could not."""

    code: Code
    failed: bool = False
    reason: str | None = None
    reason_code: str | None = None


class Capacity(msgspec.Struct, frozen=True, omit_defaults=True):
    """That instances run several calls at a time, and how many; see `capacity`."""

    provider: str  # ARN
    max_concurrency: int | None = None  # None: as many as suit the memory
    memory_gib_per_cpu: float | None = None


class JsonLogs(msgspec.Struct, frozen=True, omit_defaults=True):
    """That a function logs JSON, and what is kept of it."""

    application: LogLevel = "INFO"  # of what the function writes
    system: SystemLogLevel = "INFO"  # of what the platform does


class Durable(msgspec.Struct, frozen=True, omit_defaults=True):
    """That calls of a function are executions that outlive them; see `durable`."""

    timeout_s: int  # of an execution, whatever its calls take
    retention_days: int = 14  # how long it can be looked at once it has ended


class Configuration(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a function's author chooses. Limits are checked by `validation` before one is made."""

    runtime: str  # empty for images, as is `handler`
    handler: str
    role: str
    description: str = ""
    timeout_s: int = 3
    memory_mb: int = 128
    ephemeral_mb: int = 512
    architecture: Architecture = "x86_64"
    # None: never set, which replies tell apart from empty; or at rest, where they are `sealed` (see `variables`).
    environment: dict[str, str] | None = None
    sealed: bytes | None = None
    log_group: str | None = None  # None: /aws/lambda/<name>
    logs: JsonLogs | None = None  # None: text
    tracing: bool = False  # TracingConfig Active: it decides about calls that nobody has decided about, see `tracing`
    snap_start: bool = False  # of the versions that are published from now on
    capacity: Capacity | None = None  # None: one call at a time
    package: PackageType = "Zip"
    image: ImageConfig | None = None
    dead_letters: str | None = None  # ARN of the queue or topic that events go to which are given up
    layers: tuple[Layer, ...] = ()  # in the order in which they are laid over one another
    durable: Durable | None = None  # from its creation on, or never
    per_tenant: bool = False  # an instance serves one tenant alone; never changes


class Statement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One permission in a function's resource policy."""

    sid: str
    action: str
    principal: str  # as given: "*", "s3.amazonaws.com", an account, an ARN
    source_arn: str | None = None
    source_account: str | None = None
    organization: str | None = None
    event_source_token: str | None = None
    url_auth_type: AuthType | None = None
    via_url: bool | None = None
    document: str | None = None  # of one that PutResourcePolicy put: the whole of it; all else but `sid` is empty then


class Cors(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who may call a function URL from a page of another origin; None: not configured."""

    allow_credentials: bool | None = None
    allow_headers: tuple[str, ...] | None = None
    allow_methods: tuple[str, ...] | None = None
    allow_origins: tuple[str, ...] | None = None
    expose_headers: tuple[str, ...] | None = None
    max_age_s: int | None = None


class FunctionUrl(msgspec.Struct, frozen=True, omit_defaults=True):
    """The HTTP endpoint of a function."""

    url_id: str
    auth_type: AuthType
    created_at: float
    modified_at: float
    cors: Cors | None = None
    streams: bool = False  # InvokeMode RESPONSE_STREAM: replies are sent on as they come


class AsyncSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """How asynchronous invocations are retried and where their records go; None: AWS's default."""

    modified_at: float
    max_retries: int | None = None  # 0 to 2; default 2
    max_age_s: int | None = None  # 60 to 21,600; default 21,600
    on_success: str | None = None  # ARN of a function, queue, topic or bus
    on_failure: str | None = None  # or of a bucket


class ProvisionedSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many initialized instances are kept."""

    instances: int
    modified_at: float


class Scaling(msgspec.Struct, frozen=True, omit_defaults=True):
    """Between how many and how many instances a version has."""

    least: int | None = None  # kept initialized; None: none, and nobody said so
    most: int | None = None  # None: as many as limits and memory allow; 0: it is deactivated


class RuntimeUpdates(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a runtime is updated, as somebody said it of `runtime`; another runtime begins anew with Auto."""

    mode: Literal["Auto", "Manual", "FunctionUpdate"]
    runtime: str


class Function(msgspec.Struct, frozen=True, omit_defaults=True):
    """One function; its code and configuration are those of its version $LATEST."""

    name: str
    configuration: Configuration
    code: Code
    revision_id: str  # changes with every write; what RevisionId guards
    deployment_id: str  # changes with whatever an instance depends on; instances are shared within one
    modified_at: float
    reserved_concurrency: int | None = None
    policy: tuple[Statement, ...] = ()
    runtime_updates: RuntimeUpdates | None = None
    policy_id: str = "default"
    tags: dict[str, str] = {}
    url: FunctionUrl | None = None
    asynchronous: AsyncSettings | None = None
    state: VersionState = "Active"  # of $LATEST: other than active only until its first image is ready
    state_reason: str | None = None
    state_reason_code: str | None = None
    update: Update | None = None  # what it runs meanwhile is `code`
    allows_loops: bool = False  # it may call itself by way of others as often as it likes

    @property
    def standing(self) -> VersionState:
        """The state to show."""
        return self.state

    @property
    def awaited(self) -> Code | None:
        """The image that has to be made ready; None: there is none."""
        if self.state == "Pending":
            return self.code
        return self.update.code if self.update is not None and not self.update.failed else None

    @property
    def log_group(self) -> str:
        """Where its instances log."""
        return self.configuration.log_group or f"/aws/lambda/{self.name}"


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """A published version: code and configuration as they were. Only what hangs on it changes, and its state."""

    function_name: str
    number: int
    configuration: Configuration
    code: Code
    revision_id: str
    deployment_id: str
    published_at: float
    source_description: str = ""  # the description that $LATEST had, whatever this version's own is
    state: VersionState = "Active"
    state_reason: str | None = None
    state_reason_code: str | None = None
    optimized: bool = False  # whether instances start from after init
    unoptimized_because: str | None = None  # why not, where it was asked for
    policy: tuple[Statement, ...] = ()
    runtime_updates: RuntimeUpdates | None = None
    policy_id: str = "default"
    asynchronous: AsyncSettings | None = None
    provisioned: ProvisionedSettings | None = None
    scaling: Scaling | None = None

    @property
    def standing(self) -> VersionState:
        """The state to show: one that may have no instance is deactivated as long as that is so."""
        deactivated = self.state == "Active" and self.scaling is not None and self.scaling.most == 0
        return "Deactivated" if deactivated else self.state

    @property
    def label(self) -> str:
        """Its qualifier."""
        return str(self.number)

    @property
    def log_group(self) -> str:
        return self.configuration.log_group or f"/aws/lambda/{self.function_name}"


class Alias(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name for a version, or for two between which calls are shared."""

    function_name: str
    name: str
    version: str  # a number, or $LATEST
    revision_id: str
    description: str = ""
    second: str | None = None  # the version that gets `weight` of the calls
    weight: float = 0.0
    policy: tuple[Statement, ...] = ()
    policy_id: str = "default"
    url: FunctionUrl | None = None
    asynchronous: AsyncSettings | None = None
    provisioned: ProvisionedSettings | None = None


Subject = Function | Version | Alias
