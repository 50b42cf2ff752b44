"""The domain types of functions. Frozen: an operation makes a new value, the repository stores it.

A `Function` is one aggregate: everything that hangs on a function (its resource policy, tags, URL, settings of
asynchronous invocation) is part of it, read and written as one row, so that a reader never sees half a change.
Defaults are left out of what is stored, so that a new field needs no migration.
"""

from typing import Literal

import msgspec

LATEST = "$LATEST"

AuthType = Literal["NONE", "AWS_IAM"]
Architecture = Literal["x86_64", "arm64"]


class Code(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deployment package, named by what it is."""

    sha256: str  # of the zip, hexadecimal: the blob's digest and the name of the extracted directory
    size: int  # bytes of the zip
    unzipped: int  # bytes of all files in it


class Configuration(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a function's author chooses. Limits are checked by `validation` before one is made."""

    runtime: str
    handler: str
    role: str
    description: str = ""
    timeout_s: int = 3
    memory_mb: int = 128
    ephemeral_mb: int = 512
    architecture: Architecture = "x86_64"
    environment: dict[str, str] | None = None  # None: never set, which replies tell apart from empty
    log_group: str | None = None  # None: /aws/lambda/<name>


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
    invoke_mode_given: bool = False  # whether the caller named the mode; it is always BUFFERED


class AsyncSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """How asynchronous invocations are retried and where their records go; None: AWS's default."""

    modified_at: float
    max_retries: int | None = None  # 0 to 2; default 2
    max_age_s: int | None = None  # 60 to 21,600; default 21,600
    on_success: str | None = None  # ARN of a function
    on_failure: str | None = None


class Function(msgspec.Struct, frozen=True, omit_defaults=True):
    """One function, unpublished: its version is always $LATEST."""

    name: str
    configuration: Configuration
    code: Code
    revision_id: str  # changes with every write; what RevisionId guards
    deployment_id: str  # changes with whatever an instance depends on; instances are shared within one
    modified_at: float
    reserved_concurrency: int | None = None
    policy: tuple[Statement, ...] = ()
    tags: dict[str, str] = {}
    url: FunctionUrl | None = None
    asynchronous: AsyncSettings | None = None

    @property
    def log_group(self) -> str:
        """Where its instances log."""
        return self.configuration.log_group or f"/aws/lambda/{self.name}"
