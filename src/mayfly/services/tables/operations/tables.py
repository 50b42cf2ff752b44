"""Tables: create, update, describe, list, delete, and what there is to know of limits and endpoints."""

import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.tables import schemas, statements
from mayfly.services.tables.catalog import Catalog, checked_name
from mayfly.services.tables.descriptions import Totals, describe
from mayfly.services.tables.errors import InvalidError, TableNotFoundError, unsupported
from mayfly.services.tables.maintenance import Maintenance
from mayfly.services.tables.model import BillingMode, Index, Table, Throughput
from mayfly.services.tables.operations.tags import checked_tags, put_tags
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
_NOT_IMPLEMENTED = (
    "GlobalTableSettingsReplicationMode",
    "GlobalTableSourceArn",
    "GlobalTableWitnessUpdates",
    "DisassociationProtectionEnabled",
    "MultiRegionConsistency",
    "OnDemandThroughput",
    "ReplicaUpdates",
    "ResourcePolicy",
    "VectorIndexUpdates",
    "VectorIndexes",
    "WarmThroughput",
)


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
        _refuse(dict(request))
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
        counts = {}
        for index in table.indexes:
            count = reader.one(statements.COUNT_ENTRIES, {"table_id": table.id, "index_id": index.id})
            counts[index.id] = count[0] if count else 0
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
        _refuse(dict(request))

        def body(tx: Tx) -> dict[str, Any]:
            table = self._table(tx, context, request["TableName"])
            changed = self._updated(tx, table, request)
            self._catalog.replace(tx, changed)
            tx.after_commit(self._maintenance.wake)
            return self._described(tx, changed)

        return {"TableDescription": await self._store.write(body)}

    def _updated(self, tx: Tx, table: Table, request: "UpdateTableInputTypeDef") -> Table:
        wanted = (
            "BillingMode",
            "ProvisionedThroughput",
            "TableClass",
            "DeletionProtectionEnabled",
            "GlobalSecondaryIndexUpdates",
        )
        if not any(member in request for member in wanted):
            raise InvalidError(
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
                "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
            )
        table = self._with_indexes(tx, table, request)
        if "BillingMode" in request or "ProvisionedThroughput" in request:
            table = self._with_billing(table, request)
        return msgspec.structs.replace(
            table,
            deletion_protection=request.get("DeletionProtectionEnabled", table.deletion_protection),
            table_class=request.get("TableClass", table.table_class),
        )

    def _with_billing(self, table: Table, request: "UpdateTableInputTypeDef") -> Table:
        mode: BillingMode = request.get("BillingMode", table.billing)
        indexes = table.indexes
        if mode == "PAY_PER_REQUEST":
            indexes = tuple(msgspec.structs.replace(index, throughput=Throughput()) for index in indexes)
        if mode == "PROVISIONED" and "ProvisionedThroughput" not in request:
            raise InvalidError(
                "One or more parameter values were invalid: "
                "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"
            )
        throughput = schemas.billing(mode, dict(request))
        schemas.check_index_billing(mode, indexes)
        since = table.pay_per_request_since
        if mode == "PAY_PER_REQUEST" and table.billing != mode:
            since = self._clock.now()
        return msgspec.structs.replace(
            table, billing=mode, throughput=throughput, indexes=indexes, pay_per_request_since=since
        )

    def _with_indexes(self, tx: Tx, table: Table, request: "UpdateTableInputTypeDef") -> Table:
        updates = request.get("GlobalSecondaryIndexUpdates", ())
        changes = [change for update in updates for change in ("Create", "Delete") if change in update]
        if len(changes) > 1:
            raise ServiceError(
                "LimitExceededException",
                "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
            )
        for update in updates:
            if "Create" in update:
                table = _with_new_index(table, dict(request), dict(update["Create"]))
            elif "Delete" in update:
                index = _global_index(table, update["Delete"]["IndexName"])
                table = _with_indexes(table, [other for other in table.indexes if other is not index])
                tx.run(statements.PUT_GARBAGE, {"table_id": table.id, "index_id": index.id})
            elif "Update" in update:
                table = _with_index_throughput(table, dict(update["Update"]))
        return table

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


def _refuse(request: dict[str, Any]) -> None:
    """`InvalidError` for the parts of tables that Mayfly does not have."""
    for member in _NOT_IMPLEMENTED:
        if request.get(member):
            raise unsupported(f"{member} of tables")
    if request.get("StreamSpecification", {}).get("StreamEnabled"):
        raise unsupported("streams of tables (StreamSpecification)")
    if request.get("SSESpecification", {}).get("Enabled"):
        raise unsupported("encryption with a key of one's own (SSESpecification)")


def _with_indexes(table: Table, indexes: list[Index]) -> Table:
    return msgspec.structs.replace(table, indexes=tuple(indexes))


def _global_index(table: Table, name: str) -> Index:
    index = table.index(name)
    if index is None or not index.is_global:
        raise ServiceError("ResourceNotFoundException", f"Requested resource not found: Index: {name} not found")
    return index


def _with_new_index(table: Table, request: dict[str, Any], wanted: dict[str, Any]) -> Table:
    known = {
        attribute.name: {"AttributeName": attribute.name, "AttributeType": attribute.type}
        for attribute in table.attributes()
    }
    for definition in request.get("AttributeDefinitions", ()):
        before = known.setdefault(definition["AttributeName"], definition)
        if before["AttributeType"] != definition["AttributeType"]:
            raise InvalidError(
                "One or more parameter values were invalid: Attributes cannot be redefined. "
                f"Please check that your attribute has the same type as previously defined. "
                f"Existing schema: {before['AttributeName']}:{before['AttributeType']}"
            )
    if table.index(wanted["IndexName"]) is not None:
        raise InvalidError(
            "One or more parameter values were invalid: "
            f"Attempting to create an index which already exists: {wanted['IndexName']}"
        )
    made = schemas.index(wanted, schemas.Schema(list(known.values())), table.next_index_id, None)
    if sum(index.is_global for index in table.indexes) >= schemas.MAX_GLOBAL_INDEXES:
        raise ServiceError(
            "LimitExceededException",
            f"GlobalSecondaryIndex count exceeds the per-table limit of {schemas.MAX_GLOBAL_INDEXES}",
        )
    if table.billing == "PAY_PER_REQUEST" and made.throughput != Throughput():
        raise InvalidError(
            "One or more parameter values were invalid: ProvisionedThroughput should not be specified "
            f"for index: {made.name} when BillingMode is PAY_PER_REQUEST"
        )
    made = msgspec.structs.replace(made, backfilled=False)
    return msgspec.structs.replace(table, indexes=(*table.indexes, made), next_index_id=made.id + 1)


def _with_index_throughput(table: Table, wanted: dict[str, Any]) -> Table:
    index = _global_index(table, wanted["IndexName"])
    for refused in ("OnDemandThroughput", "WarmThroughput"):
        if refused in wanted:
            raise unsupported(f"{refused} of indexes")
    if "ProvisionedThroughput" not in wanted:
        return table
    changed = msgspec.structs.replace(index, throughput=schemas.throughput(wanted["ProvisionedThroughput"]))
    return _with_indexes(table, [changed if other is index else other for other in table.indexes])
