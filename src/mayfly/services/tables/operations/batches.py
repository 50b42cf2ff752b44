"""BatchGetItem and BatchWriteItem: many independent items in one call.

A batch of writes is one transaction here and so never comes back half done, which DynamoDB allows but does not
require; `UnprocessedItems` is always empty. A batch of reads stops at 16 MB and hands the rest back.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.tables import items
from mayfly.services.tables.capacity import Consumed, count_write, read_units, reported_all
from mayfly.services.tables.catalog import Catalog
from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.expressions.paths import project
from mayfly.services.tables.items import Key
from mayfly.services.tables.key_paths import check_scalar_keys
from mayfly.services.tables.model import Table
from mayfly.services.tables.parameters import ExpressionReader, Expressions
from mayfly.services.tables.values import Item, checked_item
from mayfly.services.tables.writes import Effect, Write, check_size, perform, place_of
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        BatchGetItemInputTypeDef,
        BatchWriteItemInputTypeDef,
    )

MAX_GETS = 100
MAX_WRITES = 25
MAX_REPLY_BYTES = 16 * 1024 * 1024


class _TableGets:
    """What a BatchGetItem wants of one table."""

    def __init__(self, name: str, request: Mapping[str, Any], keys: list[Item], expressions: Expressions) -> None:
        self.name = name
        self.request = request
        self.projection = expressions.projection
        self.keys = keys
        self.found: list[Item] = []
        self.left: list[Item] = []
        self.units = 0.0


class BatchOperations:
    """Handlers of batches."""

    def __init__(self, store: Store, catalog: Catalog, expressions: ExpressionReader) -> None:
        self._store = store
        self._catalog = catalog
        self._expressions = expressions

    @operation("BatchGetItem")
    async def batch_get_item(self, context: RequestContext, request: "BatchGetItemInputTypeDef") -> dict[str, Any]:
        """Up to 100 items of any tables, in no order."""
        wanted = {
            name: (dict(gets), self._expressions.read(dict(gets), ("ProjectionExpression",)))
            for name, gets in request["RequestItems"].items()
        }
        if sum(len(gets["Keys"]) for gets in request["RequestItems"].values()) > MAX_GETS:
            raise InvalidError("Too many items requested for the BatchGetItem call")

        keys = {name: _distinct_keys(gets) for name, (gets, _) in wanted.items()}

        def body(reader: Reader) -> list[tuple[Table, _TableGets]]:
            done = []
            budget = MAX_REPLY_BYTES
            for name, (gets, expressions) in wanted.items():
                table = self._catalog.require(reader, context, name)
                one = _TableGets(name, gets, keys[name], expressions)
                budget = _get_all(reader, table, one, budget)
                done.append((table, one))
            return done

        done = await self._store.read(body)
        return {
            "Responses": {one.name: one.found for _, one in done},
            "UnprocessedKeys": {one.name: {**one.request, "Keys": one.left} for _, one in done if one.left},
            **reported_all(request, [_consumed(table, one) for table, one in done]),
        }

    @operation("BatchWriteItem")
    async def batch_write_item(self, context: RequestContext, request: "BatchWriteItemInputTypeDef") -> dict[str, Any]:
        """Up to 25 puts and deletes in any tables."""
        writes = [_write(name, dict(one)) for name, ones in request["RequestItems"].items() for one in ones]
        if not 1 <= len(writes) <= MAX_WRITES:
            raise InvalidError("Too many items requested for the BatchWriteItem call")

        def body(tx: Tx) -> list[tuple[Table, Effect]]:
            tables = {name: self._catalog.require(tx, context, name) for name in request["RequestItems"]}
            places = {(tables[write.table_name].id, place_of(tables[write.table_name], write)) for write in writes}
            if len(places) < len(writes):
                raise InvalidError("Provided list of item keys contains duplicates")
            return [(tables[write.table_name], perform(tx, tables[write.table_name], write)) for write in writes]

        effects = await self._store.write(body)
        consumed: dict[str, Consumed] = {}
        if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
            for table, effect in effects:
                count_write(consumed.setdefault(table.id, Consumed(table, "write")), effect.old, effect.new)
        return {"UnprocessedItems": {}, **reported_all(request, consumed.values())}


def _distinct_keys(gets: Mapping[str, Any]) -> list[Item]:
    keys = [checked_item(key) for key in gets["Keys"]]
    if len({repr(sorted(key.items())) for key in keys}) < len(keys):
        raise InvalidError("Provided list of item keys contains duplicates")
    return keys


def _get_all(reader: Reader, table: Table, gets: _TableGets, budget: int) -> int:
    """Look up the keys of one table; the bytes that the reply may still grow by."""
    places: dict[Key, Item] = {items.key_of(table, key): key for key in gets.keys}
    if gets.projection is not None:
        check_scalar_keys(table, gets.projection.paths)
    consistent = bool(gets.request.get("ConsistentRead"))
    for place, key in places.items():
        stored = items.get(reader, table, place) if budget > 0 else None
        size = stored.size if stored else 0
        if budget <= 0 or size > budget:
            gets.left.append(key)
            budget = 0
            continue
        budget -= size
        gets.units += read_units(size, consistent=consistent)
        if stored is not None:
            gets.found.append(project(gets.projection.paths, stored.item) if gets.projection else stored.item)
    return budget


def _consumed(table: Table, gets: _TableGets) -> Consumed:
    consumed = Consumed(table, "read")
    consumed.add(gets.units)
    return consumed


def _write(table_name: str, request: Mapping[str, Any]) -> Write:
    if len(request) != 1:
        raise InvalidError(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )
    if "PutRequest" in request:
        item = checked_item(request["PutRequest"]["Item"])
        check_size(item)
        return Write(table_name, "put", item)
    return Write(table_name, "delete", checked_item(request["DeleteRequest"]["Key"]))
