"""Single items: put, get, update, delete."""

from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.tables import items
from mayfly.services.tables.capacity import Consumed, count_write, read_units, reported
from mayfly.services.tables.catalog import Catalog
from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.expressions.ast import Update
from mayfly.services.tables.expressions.paths import project
from mayfly.services.tables.items import Stored
from mayfly.services.tables.key_paths import check_scalar_keys
from mayfly.services.tables.model import Table
from mayfly.services.tables.parameters import ExpressionReader
from mayfly.services.tables.values import Item
from mayfly.services.tables.writes import Effect, Write, check_size, perform
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        DeleteItemInputTypeDef,
        GetItemInputTypeDef,
        PutItemInputTypeDef,
        UpdateItemInputTypeDef,
    )


class ItemOperations:
    """Handlers of operations on one item."""

    def __init__(self, store: Store, catalog: Catalog, expressions: ExpressionReader) -> None:
        self._store = store
        self._catalog = catalog
        self._expressions = expressions

    @operation("GetItem")
    async def get_item(self, context: RequestContext, request: "GetItemInputTypeDef") -> dict[str, Any]:
        """An item, or what a projection leaves of it. Reads are consistent whether asked to be or not."""
        wanted = self._expressions.read(request, ("ProjectionExpression",), "Key")

        def body(reader: Reader) -> tuple[Table, Stored | None]:
            table = self._catalog.require(reader, context, request["TableName"])
            if wanted.projection is not None:
                check_scalar_keys(table, wanted.projection.paths)
            return table, items.get(reader, table, items.key_of(table, wanted.item))

        table, stored = await self._store.read(body)
        consumed = Consumed(table, "read")
        consumed.add(read_units(stored.size if stored else 0, consistent=request.get("ConsistentRead", False)))
        reply = reported(request, consumed)
        if stored is not None:
            reply["Item"] = project(wanted.projection.paths, stored.item) if wanted.projection else stored.item
        return reply

    @operation("PutItem")
    async def put_item(self, context: RequestContext, request: "PutItemInputTypeDef") -> dict[str, Any]:
        """Write a whole item in place of any with its key."""
        wanted = self._expressions.read(request, ("ConditionExpression",), "Item")
        returned = _returned(request.get("ReturnValues", "NONE"), ("NONE", "ALL_OLD"))
        check_size(wanted.item)
        write = Write(
            request["TableName"],
            "put",
            wanted.item,
            wanted.condition,
            show_on_failure=request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        )
        table, effect = await self._perform(context, write)
        return self._reply(request, table, effect, returned)

    @operation("DeleteItem")
    async def delete_item(self, context: RequestContext, request: "DeleteItemInputTypeDef") -> dict[str, Any]:
        """Remove an item; that there is none is no error."""
        wanted = self._expressions.read(request, ("ConditionExpression",), "Key")
        returned = _returned(request.get("ReturnValues", "NONE"), ("NONE", "ALL_OLD"))
        write = Write(
            request["TableName"],
            "delete",
            wanted.item,
            wanted.condition,
            show_on_failure=request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        )
        table, effect = await self._perform(context, write)
        return self._reply(request, table, effect, returned)

    @operation("UpdateItem")
    async def update_item(self, context: RequestContext, request: "UpdateItemInputTypeDef") -> dict[str, Any]:
        """Change attributes of an item, which is made if there is none."""
        wanted = self._expressions.read(request, ("UpdateExpression", "ConditionExpression"), "Key")
        write = Write(
            request["TableName"],
            "update",
            wanted.item,
            wanted.condition,
            wanted.update,
            show_on_failure=request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        )
        table, effect = await self._perform(context, write)
        return self._reply(request, table, effect, request.get("ReturnValues", "NONE"), wanted.update)

    async def _perform(self, context: RequestContext, write: Write) -> tuple[Table, Effect]:
        def body(tx: Tx) -> tuple[Table, Effect]:
            table = self._catalog.require(tx, context, write.table_name)
            return table, perform(tx, table, write)

        return await self._store.write(body)

    @staticmethod
    def _reply(
        request: Any, table: Table, effect: Effect, returned: str, update: Update | None = None
    ) -> dict[str, Any]:
        reply: dict[str, Any] = {}
        if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
            consumed = Consumed(table, "write")
            count_write(consumed, effect.old, effect.new)
            reply = reported(request, consumed)
        attributes = _attributes(returned, effect, update)
        if attributes:
            reply["Attributes"] = attributes
        return reply


def _returned(wanted: str, possible: tuple[str, ...]) -> str:
    if wanted not in possible:
        raise InvalidError("ReturnValues can only be ALL_OLD or NONE")
    return wanted


def _attributes(returned: str, effect: Effect, update: Update | None) -> Item | None:
    """What `ReturnValues` asks to see of a write."""
    item = {"ALL_OLD": effect.old, "UPDATED_OLD": effect.old, "ALL_NEW": effect.new, "UPDATED_NEW": effect.new}.get(
        returned
    )
    if item is None or not returned.startswith("UPDATED"):
        return item
    return project([action.path for action in update.actions], item) if update else {}
