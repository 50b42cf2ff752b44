"""What the operations of secrets share: the store, time, the vault, and how a secret is found, changed and written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mayfly.clock import Clock
from mayfly.services.configs.scopes import Scope
from mayfly.services.configs.secrets import access, catalog
from mayfly.services.configs.secrets.model import Place, Secret
from mayfly.services.configs.secrets.values import Values
from mayfly.services.contract import RequestContext
from mayfly.store.api import Reader, Store, Tx
from mayfly.ticker.ticker import Ticker

Change = Callable[[Tx, Place, Secret], Secret]


@dataclass(frozen=True)
class Desk:
    """Made by the service, handed to each group of operations."""

    store: Store
    clock: Clock
    values: Values
    ticker: Ticker

    async def read(
        self, context: RequestContext, operation: str, params: Mapping[str, Any], *, deleted: bool = False
    ) -> tuple[Place, Secret]:
        """The secret that a request names; `deleted`: also one that is to be deleted. `ServiceError`."""
        return await self.store.read(lambda reader: self.find(reader, context, operation, params, deleted=deleted))

    async def change(
        self,
        context: RequestContext,
        operation: str,
        params: Mapping[str, Any],
        change: Change,
        *,
        deleted: bool = False,
    ) -> tuple[Place, Secret]:
        """Make of the secret that a request names what `change` makes of it; as it is then. `ServiceError`."""

        def body(tx: Tx) -> tuple[Place, Secret]:
            place, secret = self.find(tx, context, operation, params, deleted=deleted)
            after = change(tx, place, secret)
            catalog.put(tx, place, after)
            return place, after

        return await self.store.write(body)

    def find(
        self, reader: Reader, context: RequestContext, operation: str, params: Mapping[str, Any], *, deleted: bool
    ) -> tuple[Place, Secret]:
        """Within a snapshot; see `read`."""
        find = catalog.meant if deleted else catalog.alive
        place, secret = find(reader, Scope.of(context), params["SecretId"])
        access.check(context.principal, operation, place, secret)
        return place, secret
