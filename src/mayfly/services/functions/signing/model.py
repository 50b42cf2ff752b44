"""What a code signing configuration is. Frozen: a change is a new value."""

from typing import Literal

import msgspec

Policy = Literal["Warn", "Enforce"]


class SigningConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose code may be deployed, and what becomes of other code."""

    id: str
    publishers: tuple[str, ...]  # ARNs of versions of signing profiles
    modified_at: float
    policy: Policy = "Warn"
    description: str = ""
    tags: dict[str, str] = {}
