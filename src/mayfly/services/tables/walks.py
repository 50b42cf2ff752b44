"""What a Query or a Scan asks for, checked against the table and turned into a `Walk`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mayfly.services.tables import items
from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.expressions.ast import Path
from mayfly.services.tables.expressions.key_conditions import KeyCondition
from mayfly.services.tables.items import Key
from mayfly.services.tables.key_paths import check_scalar_keys, paths_of
from mayfly.services.tables.keys import encode, segment_bounds, slot_of
from mayfly.services.tables.model import Attribute, Index, Table
from mayfly.services.tables.pages import Position, Walk, Wanted, bounds_of
from mayfly.services.tables.parameters import Expressions
from mayfly.services.tables.projections import projected_names
from mayfly.services.tables.values import Item, checked_item, kind_of

_PREFIX = "One or more parameter values were invalid: "


def index_of(table: Table, request: Mapping[str, Any]) -> Index | None:
    """The index that a request names, if it names one; `InvalidError`."""
    if "IndexName" not in request:
        return None
    index = table.index(request["IndexName"])
    if index is None:
        raise InvalidError(f"The table does not have the specified index: {request['IndexName']}")
    if index.is_global and request.get("ConsistentRead"):
        raise InvalidError("Consistent reads are not supported on global secondary indexes")
    if not index.backfilled:
        raise InvalidError(f"Cannot read from backfilling global secondary index: {index.name}")
    return index


def query_walk(table: Table, request: Mapping[str, Any], keys: Mapping[str, KeyCondition]) -> Walk:
    """The rows that a Query reads; `InvalidError`."""
    index = index_of(table, request)
    schema = (index or table).key_attributes()
    _check_start(table, index, request)
    _check_key_conditions(schema, keys)
    hash_key = encode(keys[schema[0].name].values[0])
    bounds = bounds_of(keys.get(schema[1].name) if len(schema) == 2 else None)
    walk = Walk(
        table,
        index,
        hash=Key(slot_of(hash_key), hash_key, b""),
        bounds=bounds,
        after=start_of(table, index, request),
        forward=request.get("ScanIndexForward", True),
    )
    if walk.after is not None:
        has_range = len(keys) == 2
        if has_range and not bounds.hold(walk.after.key.range):
            raise InvalidError("The provided starting key does not match the range key predicate")
        if walk.after.key.hash != hash_key:
            raise InvalidError(
                "The query can return at most one row and cannot be restarted"
                if has_range
                else "The provided starting key is outside query boundaries based on provided conditions"
            )
    return walk


def _check_key_conditions(schema: Sequence[Attribute], keys: Mapping[str, KeyCondition]) -> None:
    if len(schema) == 1 and len(keys) > 1:
        raise InvalidError("Query key condition not supported")
    for position, attribute in enumerate(schema):
        condition = keys.get(attribute.name)
        if condition is None:
            if position == 0 or len(keys) > 1:
                raise InvalidError(f"Query condition missed key schema element: {attribute.name}")
            continue
        if condition.operator == "other":
            raise InvalidError("Attempted conditional constraint is not an indexable operation")
        if any(kind_of(value) != attribute.type for value in condition.values):
            raise InvalidError(f"{_PREFIX}Condition parameter type does not match schema type")
        if position == 0 and condition.operator != "=":
            raise InvalidError("Query key condition not supported")
        if any(value[attribute.type] in ("", b"") for value in condition.values):
            noun = "string" if attribute.type == "S" else "binary"
            raise InvalidError(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                f"cannot contain an empty {noun} value. Key: {attribute.name}"
            )


def scan_walk(table: Table, request: Mapping[str, Any]) -> Walk:
    """The rows that a Scan reads; `InvalidError`."""
    index = index_of(table, request)
    slots = segment_of(request)
    if index is not None:
        _check_start(table, index, request)
    after = start_of(table, index, request)
    if slots is not None and after is not None and not slots[0] <= after.key.slot < slots[1]:
        raise InvalidError(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
            f"correct Segment. TotalSegments: {request['TotalSegments']} Segment: {request['Segment']}"
        )
    return Walk(table, index, slots=slots, after=after)


def segment_of(request: Mapping[str, Any]) -> tuple[int, int] | None:
    """The slots of the segment that a Scan names, or None; `InvalidError`."""
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if segment is None and total is None:
        return None
    if total is None:
        raise InvalidError(
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present"
        )
    if segment is None:
        raise InvalidError(
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present"
        )
    if segment >= total:
        raise InvalidError(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    return segment_bounds(segment, total)


_PLAIN = re.compile("contains duplicates|number set|numeric value|significant digits|number with magnitude")


def check_start_values(request: Mapping[str, Any]) -> None:
    """`InvalidError` when `ExclusiveStartKey` holds what is no value; to some messages DynamoDB puts a preface."""
    try:
        checked_item(request.get("ExclusiveStartKey", {}))
    except InvalidError as error:
        preface = "" if _PLAIN.search(error.message) else "The provided starting key is invalid: "
        raise InvalidError(f"{preface}{error.message}") from None


def _check_start(table: Table, index: Index | None, request: Mapping[str, Any]) -> None:
    """`InvalidError` when `ExclusiveStartKey` has not exactly the keys that a page ends with, of their types."""
    if "ExclusiveStartKey" not in request:
        return
    given = request["ExclusiveStartKey"]
    attributes = {attribute.name: attribute for attribute in table.key_attributes()}
    walked = (index or table).key_attributes()
    attributes.update({attribute.name: attribute for attribute in walked})
    if len(given) != len(attributes):
        raise InvalidError("The provided starting key is invalid")
    for attribute in walked:
        if attribute.name not in given:
            raise InvalidError("The provided starting key is invalid")
        if attribute.type not in given[attribute.name]:
            raise InvalidError("The provided key element does not match the schema")


def start_of(table: Table, index: Index | None, request: Mapping[str, Any]) -> Position | None:
    """The place of `ExclusiveStartKey`, if there is one; `InvalidError`."""
    if "ExclusiveStartKey" not in request:
        return None
    try:
        given = checked_item(request["ExclusiveStartKey"])
        own = {attribute.name: given[attribute.name] for attribute in table.key_attributes() if attribute.name in given}
        key = items.key_of(table, own)
        if index is None and len(given) != len(own):
            raise InvalidError("The provided key element does not match the schema")
    except InvalidError as error:
        raise InvalidError(f"The provided starting key is invalid: {error.message}") from None
    if index is None:
        return Position(key)
    names = {attribute.name for attribute in (*table.key_attributes(), *index.key_attributes())}
    entry = items.index_key(index, given)
    if entry is None or given.keys() != names:
        raise InvalidError("The provided starting key is invalid")
    return Position(entry, key)


def last_key(table: Table, index: Index | None, item: Item) -> Item:
    """`LastEvaluatedKey` for a page that ends with `item`."""
    attributes = [*table.key_attributes(), *(index.key_attributes() if index else ())]
    return {attribute.name: item[attribute.name] for attribute in attributes}


def wanted_of(walk: Walk, request: Mapping[str, Any], expressions: Expressions, verb: str) -> Wanted:
    """What a Query or Scan ("Querying", "Scanning") makes of the rows; `InvalidError`."""
    projection, index = expressions.projection, walk.index
    select = request.get("Select", "SPECIFIC_ATTRIBUTES" if projection else None)
    _check_select(select, request, index, verb)
    if select == "ALL_ATTRIBUTES" and index is not None and index.is_global and index.projection != "ALL":
        raise InvalidError(
            f"{_PREFIX}Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} "
            "because its projection type is not ALL"
        )
    paths = projection.paths if projection else None
    whole = select == "ALL_ATTRIBUTES"
    check_scalar_keys(walk.table, [*(paths or ()), *paths_of(expressions.filter)])
    if index is not None and paths is not None:
        whole = _needs_whole(walk.table, index, paths)
    return Wanted(request.get("Limit"), expressions.filter, paths, whole, count_only=select == "COUNT")


def _check_select(select: str | None, request: Mapping[str, Any], index: Index | None, verb: str) -> None:
    parameter = "AttributesToGet" if "AttributesToGet" in request else "ProjectionExpression"
    given = parameter in request
    if select == "ALL_PROJECTED_ATTRIBUTES" and index is None:
        raise InvalidError(f"{_PREFIX}ALL_PROJECTED_ATTRIBUTES can be used only when {verb} using an IndexName")
    if select == "SPECIFIC_ATTRIBUTES" and not given:
        raise InvalidError(
            f"{_PREFIX}Must specify the AttributesToGet or ProjectionExpression when choosing to get "
            "SPECIFIC_ATTRIBUTES"
        )
    if given and select not in (None, "SPECIFIC_ATTRIBUTES"):
        what = "only the Count" if select == "COUNT" else select
        raise InvalidError(f"Cannot specify the {parameter} when choosing to get {what}")


def _needs_whole(table: Table, index: Index, paths: Sequence[Path]) -> bool:
    """Whether `paths` lead out of the index: a local one then looks at the item, a global one cannot."""
    names = projected_names(table, index)
    missing = [] if names is None else [path.head for path in paths if path.head not in names]
    if missing and index.is_global:
        raise InvalidError(f"{_PREFIX}Global secondary index {index.name} does not project [{', '.join(missing)}]")
    return bool(missing)
