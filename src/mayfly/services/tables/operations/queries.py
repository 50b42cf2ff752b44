"""Query and Scan."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.tables.capacity import Consumed, read_units, reported
from mayfly.services.tables.catalog import Catalog
from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.key_paths import check_filter
from mayfly.services.tables.pages import Page, Walk, read_page
from mayfly.services.tables.parameters import ExpressionReader
from mayfly.services.tables.walks import (
    check_start_values,
    last_key,
    query_walk,
    scan_walk,
    segment_of,
    wanted_of,
)
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef, ScanInputTypeDef


class QueryOperations:
    """Handlers of operations that read many items."""

    def __init__(self, store: Store, catalog: Catalog, expressions: ExpressionReader) -> None:
        self._store = store
        self._catalog = catalog
        self._expressions = expressions

    @operation("Query")
    async def query(self, context: RequestContext, request: "QueryInputTypeDef") -> dict[str, Any]:
        """Items with one hash key, in the order of their range keys."""
        parameters = ("ProjectionExpression", "FilterExpression", "KeyConditionExpression")
        expressions = self._expressions.read(request, parameters, check=_check_query)
        keys = expressions.keys or {}
        if not 1 <= len(keys) <= 2:
            raise InvalidError("Conditions can be of length 1 or 2 only")

        def body(reader: Reader) -> tuple[Walk, Page]:
            table = self._catalog.require(reader, context, request["TableName"])
            walk = query_walk(table, request, keys)
            schema = (walk.index or table).key_attributes()
            check_filter(schema, expressions.filter, "QueryFilter" if "QueryFilter" in request else "Filter Expression")
            return walk, read_page(reader, walk, wanted_of(walk, request, expressions, "Querying"))

        return _reply(request, *await self._store.read(body))

    @operation("Scan")
    async def scan(self, context: RequestContext, request: "ScanInputTypeDef") -> dict[str, Any]:
        """All items, or those of one segment, in an order that means nothing."""
        expressions = self._expressions.read(request, ("ProjectionExpression", "FilterExpression"), check=_check_scan)

        def body(reader: Reader) -> tuple[Walk, Page]:
            table = self._catalog.require(reader, context, request["TableName"])
            walk = scan_walk(table, request)
            return walk, read_page(reader, walk, wanted_of(walk, request, expressions, "Scanning"))

        return _reply(request, *await self._store.read(body))


def _check_query(request: Mapping[str, Any]) -> None:
    check_start_values(request)
    if "KeyConditions" not in request and "KeyConditionExpression" not in request:
        raise InvalidError(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )


def _check_scan(request: Mapping[str, Any]) -> None:
    check_start_values(request)
    segment_of(request)


def _reply(request: Mapping[str, Any], walk: Walk, page: Page) -> dict[str, Any]:
    consumed = Consumed(walk.table, "read")
    units = read_units(page.size, consistent=request.get("ConsistentRead", False))
    consumed.add(units, walk.index.name if walk.index else None)
    reply: dict[str, Any] = {"Count": page.matched, "ScannedCount": page.scanned, **reported(request, consumed)}
    if request.get("Select") != "COUNT":
        reply["Items"] = page.items
    if page.last is not None:
        reply["LastEvaluatedKey"] = last_key(walk.table, walk.index, page.last)
    return reply
