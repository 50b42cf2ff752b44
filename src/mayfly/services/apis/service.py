"""APIs, built: what answers on the wire, and what answers their own requests."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mayfly.services.apis.door import ApiDoor
from mayfly.services.apis.kinds import kinds
from mayfly.services.apis.parts import Parts
from mayfly.services.contract import Handler, operations_of


class ApiOperations:
    """`contract.Service`: one of the services that APIs are on the wire."""

    def __init__(self, name: str, groups: Sequence[object]) -> None:
        self.name = name
        self.operations: Mapping[str, Handler] = operations_of(*groups)


class ApisService:
    """All of APIs. `services` answer on the wire, `door` answers requests to APIs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._kinds = kinds(parts)
        groups: defaultdict[str, list[object]] = defaultdict(list)
        for kind in self._kinds:
            for name, found in kind.groups.items():
                groups[name].extend(found)
        self.services = [ApiOperations(name, found) for name, found in groups.items()]
        self.door = ApiDoor(parts.directory, self._kinds)

    async def start(self) -> None:
        """Read what there is, before requests are served."""
        await self._parts.directory.open()
        for kind in self._kinds:
            if kind.background is not None:
                await kind.background.start()

    async def stop(self) -> None:
        """End what goes on in the background."""
        for kind in reversed(self._kinds):
            if kind.background is not None:
                await kind.background.stop()
