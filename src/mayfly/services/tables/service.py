"""The tables service, built: DynamoDB on the wire."""

from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.services.contract import Handler, operations_of
from mayfly.services.tables.catalog import Catalog
from mayfly.services.tables.expressions.cache import ExpressionCache
from mayfly.services.tables.maintenance import Maintenance
from mayfly.services.tables.operations.batches import BatchOperations
from mayfly.services.tables.operations.items import ItemOperations
from mayfly.services.tables.operations.queries import QueryOperations
from mayfly.services.tables.operations.tables import TableOperations
from mayfly.services.tables.operations.tags import TagOperations
from mayfly.services.tables.operations.time_to_live import TimeToLiveOperations
from mayfly.services.tables.operations.transactions import TransactionOperations
from mayfly.services.tables.parameters import ExpressionReader
from mayfly.store.api import Store


class TablesService:
    """A `Service`. `run` is its background work and must be a task for as long as the service is used."""

    name = "dynamodb"

    def __init__(self, store: Store, clock: Clock) -> None:
        catalog = Catalog()
        expressions = ExpressionReader(ExpressionCache())
        self.maintenance = Maintenance(store, clock, catalog)
        self.operations: Mapping[str, Handler] = operations_of(
            TableOperations(store, clock, catalog, self.maintenance),
            TagOperations(store, catalog),
            TimeToLiveOperations(store, catalog, self.maintenance),
            ItemOperations(store, catalog, expressions),
            QueryOperations(store, catalog, expressions),
            BatchOperations(store, catalog, expressions),
            TransactionOperations(store, clock, catalog, expressions),
        )

    async def run(self) -> None:
        """Remove deleted rows, fill new indexes and expire items, until cancelled."""
        await self.maintenance.run()
