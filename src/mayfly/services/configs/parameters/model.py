"""The domain types of parameters. Frozen; defaults are left out of what is stored."""

from typing import Literal, NamedTuple

import msgspec

from mayfly.services.configs.scopes import Scope

Kind = Literal["String", "StringList", "SecureString"]
Tier = Literal["Standard", "Advanced", "Intelligent-Tiering"]

DEFAULT_KEY = "alias/aws/ssm"


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """One policy of an advanced parameter: when it expires, or when somebody is told. `text` as it was given."""

    kind: Literal["Expiration", "ExpirationNotification", "NoChangeNotification"]
    text: str
    due_at: float  # Unix seconds
    done: bool = False


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version, without its value."""

    number: int
    kind: Kind
    at: float
    by: str  # the ARN of who put it
    tier: Tier = "Standard"
    description: str = ""
    pattern: str = ""
    key_id: str = ""  # of a SecureString
    data_type: str = "text"
    labels: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter with all of its versions, the oldest first; there is at least one."""

    name: str  # as it was given when it was made
    versions: tuple[Version, ...]
    tags: dict[str, str] = {}

    @property
    def latest(self) -> Version:
        return self.versions[-1]


class Place(NamedTuple):
    """Which parameter."""

    scope: Scope
    path: str  # with a slash before it

    @property
    def arn(self) -> str:
        return self.scope.arn("ssm", f"parameter{self.path}")

    def about(self, version: int) -> str:
        """What the value of a version is sealed for."""
        return f"{self.arn}:{version}"
