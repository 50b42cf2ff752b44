"""How operations read and change REST APIs: the whole of an API in one transaction, and who hears of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from mayfly.clock import Clock
from mayfly.services.apis.directory import Directory
from mayfly.services.apis.rest import catalog, faults
from mayfly.services.apis.rest.model import Api, Resource, Stage
from mayfly.services.contract import ServiceError
from mayfly.store.api import Reader, Store, Tx

Found = TypeVar("Found")


@dataclass(frozen=True)
class Editing:
    """What every group of operations is given."""

    store: Store
    clock: Clock
    directory: Directory
    account: str
    region: str
    on_change: list[Callable[[str], None]] = field(default_factory=list)  # called with the id of an API, after commits

    def no_such_api(self, api_id: str) -> ServiceError:
        return faults.no_such_api(self.account, api_id)

    async def change(self, api_id: str, body: Callable[[Api, Tx], Found], missing: ServiceError | None = None) -> Found:
        """Change the parts of an API in place; what `body` gives. `missing`: where there is no API."""

        def run(tx: Tx) -> Found:
            api = self._found(tx, api_id, missing)
            value = body(api, tx)
            catalog.put_api(tx, api)
            return value

        return await self.store.write(run)

    async def read(self, api_id: str, body: Callable[[Api], Found], missing: ServiceError | None = None) -> Found:
        """What `body` gives of an API as it is."""
        return await self.store.read(lambda reader: body(self._found(reader, api_id, missing)))

    def tell(self, tx: Tx, api_id: str) -> None:
        """Let those who answer requests hear that stages of an API changed, after the commit."""
        for callback in self.on_change:
            tx.after_commit(partial(callback, api_id))

    def put_stage(self, tx: Tx, api_id: str, stage: Stage) -> None:
        catalog.put_stage(tx, api_id, stage)
        self.tell(tx, api_id)

    def _found(self, reader: Reader, api_id: str, missing: ServiceError | None) -> Api:
        api = catalog.api(reader, api_id)
        if api is None:
            raise missing or self.no_such_api(api_id)
        return api


def resource_of(api: Api, resource_id: str) -> Resource:
    """`ServiceError`."""
    found = api.parts.resources.get(resource_id)
    if found is None:
        raise faults.no_such_resource()
    return found
