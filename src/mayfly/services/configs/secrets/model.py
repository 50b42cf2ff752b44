"""The domain types of secrets. Frozen; defaults are left out of what is stored."""

from typing import NamedTuple

import msgspec

from mayfly.services.configs.scopes import Scope

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
DAY_S = 86_400.0


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version, without its value."""

    id: str
    created_at: float
    stages: tuple[str, ...] = ()
    accessed_at: float | None = None
    has_value: bool = True  # a rotation makes a version before anybody has given it one
    binary: bool = False


class Rotation(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a secret is rotated."""

    function: str  # its ARN
    enabled: bool = True
    after_days: int | None = None
    schedule: str | None = None  # one of both
    duration: str | None = None  # "3h"
    token: str | None = None  # of the rotation that is under way
    next_at: float | None = None


class Secret(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secret with its versions, the oldest first."""

    name: str
    suffix: str  # what its ARN ends with
    created_at: float
    changed_at: float
    versions: tuple[Version, ...] = ()
    description: str = ""
    key_id: str = ""
    tags: dict[str, str] = {}
    accessed_at: float | None = None
    rotated_at: float | None = None
    deleted_at: float | None = None
    purge_at: float | None = None
    rotation: Rotation | None = None
    policy: str | None = None

    def version(self, id_: str) -> Version | None:
        return next((one for one in self.versions if one.id == id_), None)

    def staged(self, stage: str) -> Version | None:
        return next((one for one in self.versions if stage in one.stages), None)


class Place(NamedTuple):
    """Which secret."""

    scope: Scope
    name: str

    def arn(self, suffix: str) -> str:
        return self.scope.arn("secretsmanager", f"secret:{self.name}-{suffix}")

    def about(self, secret: Secret, version: str) -> str:
        """What the value of a version is sealed for."""
        return f"{self.arn(secret.suffix)}:{version}"
