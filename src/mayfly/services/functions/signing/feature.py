"""Code signing, built. `SigningCheck` is a part of functions themselves; here is what is beside it."""

from collections.abc import Sequence

from mayfly.services.functions.parts import Parts
from mayfly.services.functions.signing.operations.functions import FunctionSigningOperations


class Signing:
    """`parts.Feature`."""

    def __init__(self, parts: Parts) -> None:
        self._operations = (
            parts.signing_configs,
            FunctionSigningOperations(parts.home, parts.store, parts.signing),
        )

    @property
    def operations(self) -> Sequence[object]:
        return self._operations

    async def start(self) -> None:
        """There is nothing to do."""

    async def stop(self, grace_s: float) -> None:
        """Nor to end."""
