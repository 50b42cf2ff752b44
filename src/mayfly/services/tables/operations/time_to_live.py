"""Time to live: which attribute says when an item expires."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.tables.catalog import Catalog
from mayfly.services.tables.errors import InvalidError, TableNotFoundError
from mayfly.services.tables.maintenance import Maintenance
from mayfly.services.tables.model import Table, TimeToLive
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        DescribeTimeToLiveInputTypeDef,
        UpdateTimeToLiveInputTypeDef,
    )


class TimeToLiveOperations:
    """Handlers of operations on time to live."""

    def __init__(self, store: Store, catalog: Catalog, maintenance: Maintenance) -> None:
        self._store = store
        self._catalog = catalog
        self._maintenance = maintenance

    def _table(self, reader: Reader, context: RequestContext, name: str) -> Table:
        table = self._catalog.find(reader, context, name)
        if table is None:
            raise TableNotFoundError(name)
        return table

    @operation("DescribeTimeToLive")
    async def describe_time_to_live(
        self, context: RequestContext, request: "DescribeTimeToLiveInputTypeDef"
    ) -> dict[str, Any]:
        """Whether items expire, and by which attribute."""
        table = await self._store.read(lambda reader: self._table(reader, context, request["TableName"]))
        description: dict[str, Any] = {"TimeToLiveStatus": "DISABLED"}
        if table.time_to_live is not None:
            description = {
                "TimeToLiveStatus": "ENABLED" if table.time_to_live.backfilled else "ENABLING",
                "AttributeName": table.time_to_live.attribute,
            }
        return {"TimeToLiveDescription": description}

    @operation("UpdateTimeToLive")
    async def update_time_to_live(
        self, context: RequestContext, request: "UpdateTimeToLiveInputTypeDef"
    ) -> dict[str, Any]:
        """Let items expire, or not any more. Items that are there already are looked at in the background."""
        wanted = request["TimeToLiveSpecification"]

        def body(tx: Tx) -> None:
            table = self._table(tx, context, request["TableName"])
            if wanted["Enabled"] == (table.time_to_live is not None):
                raise InvalidError(f"TimeToLive is already {'enabled' if wanted['Enabled'] else 'disabled'}")
            if table.time_to_live is not None and table.time_to_live.attribute != wanted["AttributeName"]:
                raise InvalidError(
                    f"TimeToLive is active on a different AttributeName: current AttributeName is "
                    f"{table.time_to_live.attribute}"
                )
            setting = TimeToLive(wanted["AttributeName"], backfilled=False) if wanted["Enabled"] else None
            self._catalog.replace(tx, msgspec.structs.replace(table, time_to_live=setting))
            tx.after_commit(self._maintenance.wake)

        await self._store.write(body)
        return {"TimeToLiveSpecification": wanted}
