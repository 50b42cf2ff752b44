"""TransactWriteItems and TransactGetItems: all or nothing.

Every write of the store is a transaction already, so these only have to look at all actions, say which of them stood
in the way, and remember the tokens of what was done.
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.tables import items, statements
from mayfly.services.tables.capacity import Consumed, count_write, read_units, reported_all
from mayfly.services.tables.catalog import Catalog
from mayfly.services.tables.errors import ConditionFailedError, InvalidError, TransactionCanceledError
from mayfly.services.tables.expressions.paths import project
from mayfly.services.tables.items import Stored
from mayfly.services.tables.model import Table
from mayfly.services.tables.parameters import ExpressionReader
from mayfly.services.tables.values import Item, item_size
from mayfly.services.tables.writes import Effect, Write, check_size, perform, place_of
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        TransactGetItemsInputTypeDef,
        TransactWriteItemsInputTypeDef,
    )

MAX_ACTIONS = 100
MAX_BYTES = 4 * 1024 * 1024
TOKEN_LIFE_S = 600.0
_NO_REASON: Mapping[str, Any] = {"Code": "None"}
_digest_encode = msgspec.json.Encoder(order="deterministic").encode


class TransactionOperations:
    """Handlers of transactions."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog, expressions: ExpressionReader) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._expressions = expressions

    @operation("TransactWriteItems")
    async def transact_write_items(
        self, context: RequestContext, request: "TransactWriteItemsInputTypeDef"
    ) -> dict[str, Any]:
        """Up to 100 puts, updates, deletes and checks, together."""
        writes = [self._write(dict(action)) for action in request["TransactItems"]]
        if sum(item_size(write.item) for write in writes) > MAX_BYTES:
            raise InvalidError("Collection size of items in the transaction has exceeded the limit of 4 MB")
        token = request.get("ClientRequestToken")
        digest = hashlib.sha256(_digest_encode(request["TransactItems"])).digest()
        now = self._clock.now()

        def body(tx: Tx) -> list[tuple[Table, Effect]] | None:
            if token is not None and _done_before(tx, context, token, digest, now):
                return None
            tables = [self._catalog.require(tx, context, write.table_name) for write in writes]
            places = {(table.id, place_of(table, write)) for table, write in zip(tables, writes, strict=True)}
            if len(places) < len(writes):
                raise InvalidError("Transaction request cannot include multiple operations on one item")
            return _perform_all(tx, tables, writes)

        effects = await self._store.write(body)
        if effects is None:
            return {}
        consumed: dict[str, Consumed] = {}
        if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
            for table, effect in effects:
                one = consumed.setdefault(table.id, Consumed(table, "write"))
                count_write(one, effect.old, effect.new, factor=2.0)
        return reported_all(request, consumed.values(), detailed=True)

    def _write(self, action: Mapping[str, Any]) -> Write:
        if len(action) != 1:
            raise InvalidError("TransactItems can only contain one of Check, Put, Update or Delete")
        ((name, request),) = action.items()
        parameters = ("UpdateExpression", "ConditionExpression") if name == "Update" else ("ConditionExpression",)
        expressions = self._expressions.read(request, parameters, "Item" if name == "Put" else "Key")
        if name == "Put":
            check_size(expressions.item)
        kinds: dict[str, Any] = {"Put": "put", "Update": "update", "Delete": "delete", "ConditionCheck": "check"}
        return Write(
            request["TableName"],
            kinds[name],
            expressions.item,
            expressions.condition,
            expressions.update,
            request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        )

    @operation("TransactGetItems")
    async def transact_get_items(
        self, context: RequestContext, request: "TransactGetItemsInputTypeDef"
    ) -> dict[str, Any]:
        """Up to 100 items as they were at one moment."""
        wanted = []
        for action in request["TransactItems"]:
            get = action["Get"]
            expressions = self._expressions.read(get, ("ProjectionExpression",), "Key")
            wanted.append((get["TableName"], expressions.item, expressions.projection))

        def body(reader: Reader) -> list[tuple[Table, Stored | None]]:
            tables = [self._catalog.require(reader, context, name) for name, _, _ in wanted]
            places = [items.key_of(table, key) for table, (_, key, _) in zip(tables, wanted, strict=True)]
            if len({(table.id, place) for table, place in zip(tables, places, strict=True)}) < len(places):
                raise InvalidError("Transaction request cannot include multiple operations on one item")
            return [(table, items.get(reader, table, place)) for table, place in zip(tables, places, strict=True)]

        found = await self._store.read(body)
        responses: list[dict[str, Item]] = []
        consumed: dict[str, Consumed] = {}
        for (table, stored), (_, _, projection) in zip(found, wanted, strict=True):
            units = 2 * read_units(stored.size if stored else 0, consistent=True)
            consumed.setdefault(table.id, Consumed(table, "read")).add(units)
            if stored is None:
                responses.append({})
            else:
                responses.append({"Item": project(projection.paths, stored.item) if projection else stored.item})
        return {"Responses": responses, **reported_all(request, consumed.values(), detailed=True)}


def _done_before(tx: Tx, context: RequestContext, token: str, digest: bytes, now: float) -> bool:
    """Whether this very transaction was done lately; remembers it otherwise. `ServiceError` for another's token."""
    owner = {"account": context.account, "region": context.region, "token": token}
    row = tx.one(statements.FIND_TRANSACTION, owner)
    if row is not None and row[1] > now:
        if row[0] != digest:
            raise ServiceError(
                "IdempotentParameterMismatchException",
                "The request uses the same client token as a previous, but non-identical request. Do not reuse a "
                "client token with different requests, unless the requests are identical",
            )
        return True
    tx.run(statements.PUT_TRANSACTION, {**owner, "digest": digest, "expires_at": now + TOKEN_LIFE_S})
    return False


def _perform_all(tx: Tx, tables: list[Table], writes: list[Write]) -> list[tuple[Table, Effect]]:
    """All writes; `TransactionCanceledError` names every one that cannot be done, and undoes the others.

    Each write is about another item, so what one changed cannot bear on the condition of the next.
    """
    effects: list[tuple[Table, Effect]] = []
    reasons: list[Mapping[str, Any]] = []
    for table, write in zip(tables, writes, strict=True):
        try:
            effects.append((table, perform(tx, table, write)))
            reasons.append(_NO_REASON)
        except ConditionFailedError as error:
            reasons.append({"Code": "ConditionalCheckFailed", "Message": error.message, **error.members})
        except InvalidError as error:
            reasons.append({"Code": "ValidationError", "Message": error.message})
    if len(effects) < len(writes):
        raise TransactionCanceledError(reasons)
    return effects
