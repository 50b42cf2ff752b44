"""What a version of a layer is. Frozen: only its policy changes, and a change is a new value.

What a function knows of its layers is `functions.model.Layer`: enough to run, whatever becomes of the version.
"""

import msgspec

from mayfly.services.functions.model import Architecture, Code, Layer


class Statement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One permission in the policy of a version of a layer."""

    sid: str
    action: str
    principal: str  # "*", an account, or the ARN of its root
    organization: str | None = None


class LayerVersion(msgspec.Struct, frozen=True, omit_defaults=True):
    """One published version. None of runtimes and architectures: nothing was said, which replies tell from empty."""

    name: str
    number: int
    content: Code
    created_at: float
    description: str = ""
    license_info: str | None = None
    runtimes: tuple[str, ...] | None = None
    architectures: tuple[Architecture, ...] | None = None
    extends: bool = False  # whether there are external extensions in it
    policy: tuple[Statement, ...] = ()
    revision_id: str = ""  # of the policy: changes with every write

    def used(self, arn: str) -> Layer:
        """What a function that uses it keeps of it."""
        content = self.content
        return Layer(arn, content.sha256, content.size, content.unzipped, self.extends)
