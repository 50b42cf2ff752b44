"""Pages of items: a query's or a scan's rows in the order of their keys, up to a limit or 1 MB.

Walks a table, or an index of it, in short batches inside one snapshot. The filter is applied to what was read, so a
page may be empty and still say where the next one starts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from mayfly.services.tables import statements
from mayfly.services.tables.expressions.ast import Condition, Path
from mayfly.services.tables.expressions.conditions import holds
from mayfly.services.tables.expressions.key_conditions import KeyCondition
from mayfly.services.tables.expressions.paths import project
from mayfly.services.tables.items import Key, decode_item
from mayfly.services.tables.keys import encode, prefix_end
from mayfly.services.tables.model import Index, Table
from mayfly.services.tables.projections import visible
from mayfly.services.tables.values import Item, item_size
from mayfly.store.api import Reader

PAGE_BYTES = 1024 * 1024
_MAX_BATCH = 500


class Bounds(NamedTuple):
    """What a condition leaves of the range keys; None: open on that side."""

    low: bytes | None = None
    high: bytes | None = None
    with_low: bool = True
    with_high: bool = True

    def hold(self, range_key: bytes) -> bool:
        """Whether a range key lies within."""
        if self.low is not None and (range_key < self.low or (range_key == self.low and not self.with_low)):
            return False
        return self.high is None or range_key < self.high or (range_key == self.high and self.with_high)


ALL = Bounds()


def bounds_of(condition: KeyCondition | None) -> Bounds:
    """The bounds that a condition on the range key means."""
    if condition is None:
        return ALL
    first = encode(condition.values[0])
    match condition.operator:
        case "=":
            return Bounds(first, first)
        case "<" | "<=":
            return Bounds(None, first, with_high=condition.operator == "<=")
        case ">" | ">=":
            return Bounds(first, None, with_low=condition.operator == ">=")
        case "BETWEEN":
            return Bounds(first, encode(condition.values[1]))
        case "begins_with":
            return Bounds(first, prefix_end(first), with_high=False)
        case "other":
            raise AssertionError("refused before")


class Position(NamedTuple):
    """A row's place: the key by which it was found and, in an index, the item's own key behind it."""

    key: Key
    item: Key | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """Which rows to read, and in which direction."""

    table: Table
    index: Index | None = None
    hash: Key | None = None  # a query's: only rows with this slot and hash key; its range key means nothing
    bounds: Bounds = ALL
    slots: tuple[int, int] | None = None  # a scan's segment: the first slot, and the one after the last
    after: Position | None = None
    forward: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make of the rows."""

    limit: int | None = None
    filter: Condition | None = None
    paths: tuple[Path, ...] | None = None  # None: all that can be seen
    whole: bool = False  # look through a local index at the whole item
    count_only: bool = False


class Page(NamedTuple):
    """What was read."""

    items: list[Item]
    matched: int  # rows that passed the filter
    scanned: int
    size: int  # bytes looked at, before filter and projection
    last: Item | None  # the item to go on after, or None when everything was read


def read_page(reader: Reader, walk: Walk, wanted: Wanted) -> Page:
    """One page. The item that takes it over 1 MB is still on it, as in DynamoDB."""
    found: list[Item] = []
    matched = scanned = size = 0
    last: Item | None = None
    for item, stored_size in _seen(reader, walk, wanted):
        scanned, size, last = scanned + 1, size + stored_size, item
        if wanted.filter is None or holds(wanted.filter, item):
            matched += 1
            if not wanted.count_only:
                found.append(item if wanted.paths is None else project(wanted.paths, item))
        if scanned == wanted.limit or size >= PAGE_BYTES:
            return Page(found, matched, scanned, size, last)
    return Page(found, matched, scanned, size, None)


def _seen(reader: Reader, walk: Walk, wanted: Wanted) -> Iterator[tuple[Item, int]]:
    """Items as the index shows them, with the bytes that reading each counts for."""
    index = walk.index
    if index is None or index.projection == "ALL" or wanted.whole:
        for data, size in _rows(reader, walk, wanted.limit):
            yield decode_item(data), size
        return
    for data, _ in _rows(reader, walk, wanted.limit):
        item = visible(walk.table, index, decode_item(data))
        yield item, item_size(item)


def _rows(reader: Reader, walk: Walk, limit: int | None) -> Iterator[tuple[bytes, int]]:
    """Encoded items and their sizes, read in batches that grow where items are small."""
    after, batch = walk.after, min(limit or 25, 25)
    while True:
        sql, params = _statement(walk, after)
        rows = reader.all(sql, {**params, "limit": batch})
        size = 0
        for row in rows:
            size += row[4]
            yield row[3], row[4]
        if len(rows) < batch:
            return
        after = _position(walk, rows[-1])
        batch = max(1, min(_MAX_BATCH, PAGE_BYTES * len(rows) // max(size, 1)))


def _position(walk: Walk, row: tuple[Any, ...]) -> Position:
    key = Key(row[0], row[1], row[2])
    return Position(key) if walk.index is None else Position(key, Key(0, row[5], row[6]))


def _statement(walk: Walk, after: Position | None) -> tuple[str, dict[str, Any]]:
    """The SELECT of the rows of `walk` behind `after`."""
    prefix = "" if walk.index is None else "e."
    params: dict[str, Any] = {"table_id": walk.table.id}
    order = [f"{prefix}range_key"] if walk.hash else [f"{prefix}slot", f"{prefix}hash_key", f"{prefix}range_key"]
    if walk.index is not None:
        params["index_id"] = walk.index.id
        order += ["e.item_hash", "e.item_range"]
    clauses = []
    if walk.hash is not None:
        clauses.append(f"{prefix}slot = :slot AND {prefix}hash_key = :hash_key")
        params |= {"slot": walk.hash.slot, "hash_key": walk.hash.hash}
    for name, column, sign, bound in _limits(walk, after):
        clauses.append(f"{prefix}{column} {sign} :{name}")
        params[name] = bound
    if after is not None:
        names = [f"after_{column.removeprefix(prefix)}" for column in order]
        sign = ">" if walk.forward else "<"
        clauses.append(f"({', '.join(order)}) {sign} ({', '.join(f':{name}' for name in names)})")
        params |= _after_params(after)
    direction = "" if walk.forward else " DESC"
    template = statements.PAGE_OF_TABLE if walk.index is None else statements.PAGE_OF_INDEX
    sql = template.format(
        bounds="".join(f" AND {clause}" for clause in clauses),
        order=", ".join(f"{column}{direction}" for column in order),
    )
    return sql, params


def _after_params(after: Position) -> dict[str, Any]:
    key, item = after
    params: dict[str, Any] = {"after_slot": key.slot, "after_hash_key": key.hash, "after_range_key": key.range}
    if item is not None:
        params |= {"after_item_hash": item.hash, "after_item_range": item.range}
    return params


def _limits(walk: Walk, after: Position | None) -> Iterator[tuple[str, str, str, int | bytes]]:
    """Where the walk starts and ends: a name, a column, a comparison and a value each.

    Behind `after` the limit at which it started says nothing more, and is left out: beside it, a database may choose
    to seek by that limit, and to walk over everything that earlier pages have shown.
    """
    low = after is None or not walk.forward
    high = after is None or walk.forward
    if walk.slots is not None:
        if low:
            yield "first_slot", "slot", ">=", walk.slots[0]
        if high:
            yield "end_slot", "slot", "<", walk.slots[1]
    bounds = walk.bounds
    if bounds.low is not None and low:
        yield "low", "range_key", ">=" if bounds.with_low else ">", bounds.low
    if bounds.high is not None and high:
        yield "high", "range_key", "<=" if bounds.with_high else "<", bounds.high
