"""The resource types, imported when the first template needs them: they are many, and most servers that start have no
template to look at."""

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mayfly.services.stacks.resources.base import ResourceType

_MODULE: Final = "mayfly.services.stacks.resources.registry"


class LateTypes(Mapping[str, ResourceType]):
    """All types by their name in a template. Who asks first waits for a tenth of a second, best in a thread."""

    def __init__(self, own: Mapping[str, ResourceType] | None = None) -> None:
        """`own`: instead of all that there are."""
        self._own = own
        self._types: Mapping[str, ResourceType] | None = None

    def load(self) -> Mapping[str, ResourceType]:
        """Import them, unless they are there."""
        if self._types is None:
            registry: Any = importlib.import_module(_MODULE)
            self._types = registry.resource_types() if self._own is None else registry.Known(self._own)
        return self._types

    def __getitem__(self, name: str) -> ResourceType:
        return self.load()[name]

    def __contains__(self, name: object) -> bool:
        return name in self.load()

    def __iter__(self) -> Iterator[str]:
        return iter(self.load())

    def __len__(self) -> int:
        return len(self.load())
