"""Layers, built. `Attaching` and `LayerContents` are parts of functions themselves; here is what is beside them."""

from collections.abc import Sequence

from mayfly.services.functions.layers.operations.permissions import LayerPermissionOperations
from mayfly.services.functions.layers.operations.versions import LayerOperations
from mayfly.services.functions.parts import Parts


class Layers:
    """`parts.Feature`."""

    def __init__(self, parts: Parts) -> None:
        self._operations = (
            LayerOperations(
                parts.home,
                parts.store,
                parts.blobs,
                parts.code.layer_sources,
                parts.code.layers,
                parts.code.links,
                parts.settings.limits,
                parts.clock,
            ),
            LayerPermissionOperations(parts.home, parts.store),
        )

    @property
    def operations(self) -> Sequence[object]:
        return self._operations

    async def start(self) -> None:
        """There is nothing to do: `service` opens the contents, as they are needed by every call."""

    async def stop(self, grace_s: float) -> None:
        """Nor to end."""
