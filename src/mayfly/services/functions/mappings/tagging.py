"""Tags of event source mappings, for the operations that tag whatever functions have."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from mayfly.services.functions import faults, validation
from mayfly.services.functions.mappings import catalog
from mayfly.store.api import Store, Tx

KIND: Final = "event-source-mapping"  # in ARNs


class MappingTags:
    """An `operations.tags.Taggable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def tags(self, arn: str) -> dict[str, str]:
        """The tags of the mapping with an ARN; `ServiceError`."""
        uuid = arn.rpartition(":")[2]
        mapping = await self._store.read(lambda reader: catalog.find(reader, uuid))
        if mapping is None:
            raise faults.resource_not_found()
        return dict(mapping.tags)

    async def retag(self, arn: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        """Have it tagged as `change` makes of what its tags are; `ServiceError`."""
        uuid = arn.rpartition(":")[2]

        def body(tx: Tx) -> None:
            mapping = catalog.find(tx, uuid)
            if mapping is None:
                raise faults.resource_not_found()
            catalog.update(tx, msgspec.structs.replace(mapping, tags=validation.tags(change(mapping.tags))))

        await self._store.write(body)
