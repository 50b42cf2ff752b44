"""Tables: create, update, describe, list, delete, and what there is to know of limits and endpoints."""

import uuid
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.tables import schemas, statements
from mayfly.services.tables.catalog import Catalog, checked_name
from mayfly.services.tables.descriptions import Totals, describe
from mayfly.services.tables.errors import InvalidError, TableNotFoundError
from mayfly.services.tables.maintenance import Maintenance
from mayfly.services.tables.model import BillingMode, Table
from mayfly.services.tables.operations.tags import checked_tags, put_tags
from mayfly.services.tables.table_changes import check_update, refuse_unimplemented, updated
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        CreateTableInputTypeDef,
        DeleteTableInputTypeDef,
        DescribeTableInputTypeDef,
        ListTablesInputTypeDef,
        UpdateTableInputTypeDef,
    )

MAX_TABLES = 2500


class TableOperations:
    """Handlers of operations on tables."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog, maintenance: Maintenance) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._maintenance = maintenance

    @operation("CreateTable")
    async def create_table(self, context: RequestContext, request: "CreateTableInputTypeDef") -> dict[str, Any]:
        """Make a table, ready for use at once."""
        table = self._new_table(context, request)
        tags = checked_tags(request.get("Tags", ()))

        def body(tx: Tx) -> None:
            if self._catalog.find(tx, context, table.name) is not None:
                raise ServiceError("ResourceInUseException", f"Table already exists: {table.name}")
            row = tx.one(statements.COUNT_TABLES, {"account": table.account, "region": table.region})
            if row is not None and row[0] >= MAX_TABLES:
                raise ServiceError(
                    "LimitExceededException",
                    f"Subscriber limit exceeded: There is a limit of {MAX_TABLES} tables per subscriber",
                )
            self._catalog.add(tx, table)
            put_tags(tx, table, tags)

        await self._store.write(body)
        return {"TableDescription": describe(table, Totals(0, 0), {})}

    def _new_table(self, context: RequestContext, request: "CreateTableInputTypeDef") -> Table:
        name = checked_name(request["TableName"])
        refuse_unimplemented(dict(request))
        for member in ("AttributeDefinitions", "KeySchema"):
            if member not in request:
                raise InvalidError(
                    f"One or more parameter values were invalid: Invalid number of {member}: 0. It must be specified"
                )
        mode: BillingMode = request.get("BillingMode", "PROVISIONED")
        throughput = schemas.billing(mode, dict(request))
        schema = schemas.Schema(request["AttributeDefinitions"])
        hash_attribute, range_attribute = schema.keys(request["KeySchema"])
        indexes = schemas.indexes(dict(request), schema, hash_attribute, range_attribute is not None)
        schema.check_all_used(indexed=bool(indexes))
        schemas.check_index_billing(mode, indexes)
        now = self._clock.now()
        return Table(
            id=str(uuid.uuid4()),
            name=name,
            account=context.account,
            region=context.region,
            created_at=now,
            hash=hash_attribute,
            range=range_attribute,
            billing=mode,
            throughput=throughput,
            indexes=indexes,
            next_index_id=len(indexes) + 1,
            deletion_protection=request.get("DeletionProtectionEnabled", False),
            table_class=request.get("TableClass", "STANDARD"),
            pay_per_request_since=now if mode == "PAY_PER_REQUEST" else None,
        )

    @operation("DescribeTable")
    async def describe_table(self, context: RequestContext, request: "DescribeTableInputTypeDef") -> dict[str, Any]:
        """What a table is and how much it holds."""

        def body(reader: Reader) -> dict[str, Any]:
            return self._described(reader, self._table(reader, context, request["TableName"]))

        return {"Table": await self._store.read(body)}

    def _table(self, reader: Reader, context: RequestContext, name: str) -> Table:
        table = self._catalog.find(reader, context, name)
        if table is None:
            raise TableNotFoundError(name)
        return table

    @staticmethod
    def _described(reader: Reader, table: Table, status: str = "ACTIVE") -> dict[str, Any]:
        row = reader.one(statements.TABLE_TOTALS, {"table_id": table.id})
        counts: dict[int, int] = dict(reader.all(statements.INDEX_TOTALS, {"table_id": table.id}))
        return describe(table, Totals(*row) if row else Totals(0, 0), counts, status)

    @operation("ListTables")
    async def list_tables(self, context: RequestContext, request: "ListTablesInputTypeDef") -> dict[str, Any]:
        """Names of tables, in order, a page at a time."""
        limit = request.get("Limit", 100)
        params = {
            "account": context.account,
            "region": context.region,
            "after": request.get("ExclusiveStartTableName", ""),
            "limit": limit + 1,
        }
        rows = await self._store.read(lambda reader: reader.all(statements.LIST_TABLES, params))
        names = [row[0] for row in rows[:limit]]
        reply: dict[str, Any] = {"TableNames": names}
        if len(rows) > limit:
            reply["LastEvaluatedTableName"] = names[-1]
        return reply

    @operation("DeleteTable")
    async def delete_table(self, context: RequestContext, request: "DeleteTableInputTypeDef") -> dict[str, Any]:
        """Delete a table. Its name is free at once; the rows of its items are removed in the background."""

        def body(tx: Tx) -> dict[str, Any]:
            table = self._table(tx, context, request["TableName"])
            if table.deletion_protection:
                raise InvalidError(
                    "Resource cannot be deleted as it is currently protected against deletion. "
                    "Disable deletion protection first."
                )
            described = self._described(tx, table, "DELETING")
            tx.run(statements.DELETE_TABLE, {"table_id": table.id})
            tx.run(statements.DELETE_TAGS, {"table_id": table.id})
            tx.run(statements.PUT_GARBAGE, {"table_id": table.id, "index_id": 0})
            tx.after_commit(self._maintenance.wake)
            return described

        return {"TableDescription": await self._store.write(body)}

    @operation("UpdateTable")
    async def update_table(self, context: RequestContext, request: "UpdateTableInputTypeDef") -> dict[str, Any]:
        """Change billing, throughput, class, deletion protection, or one global index."""
        refuse_unimplemented(dict(request))
        check_update(dict(request))

        def body(tx: Tx) -> dict[str, Any]:
            table = self._table(tx, context, request["TableName"])
            changed, dropped = updated(table, dict(request), self._clock.now())
            for index in dropped:
                tx.run(statements.PUT_GARBAGE, {"table_id": table.id, "index_id": index.id})
            self._catalog.replace(tx, changed)
            tx.after_commit(self._maintenance.wake)
            return self._described(tx, changed)

        return {"TableDescription": await self._store.write(body)}

    @operation("DescribeLimits")
    async def describe_limits(self, context: RequestContext, request: object) -> dict[str, Any]:
        """The default quotas of an account. They are never enforced here, because nothing is throttled."""
        del context, request
        return {
            "AccountMaxReadCapacityUnits": 80_000,
            "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000,
            "TableMaxWriteCapacityUnits": 40_000,
        }

    @operation("DescribeEndpoints")
    async def describe_endpoints(self, context: RequestContext, request: object) -> dict[str, Any]:
        """Where to send requests: where this one was sent."""
        del request
        return {"Endpoints": [{"Address": context.endpoint.partition("://")[2], "CachePeriodInMinutes": 1440}]}
