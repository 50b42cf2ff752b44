"""Items as rows: keys checked against the table, items read and written with their index entries and the totals.

The only module that changes items. Everything here runs inside a store's body; callers hold the table's definition
from the same transaction.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from mayfly.services.tables import statements
from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.keys import encode, slot_of
from mayfly.services.tables.model import Attribute, Index, Table
from mayfly.services.tables.values import AttributeValue, Item, item_size, kind_of
from mayfly.store.api import Reader, Tx

MAX_HASH_BYTES = 2048
MAX_RANGE_BYTES = 1024

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, dict[str, Any]]).decode


class Key(NamedTuple):
    """Where an item lies: the order of a table is the order of these tuples."""

    slot: int
    hash: bytes
    range: bytes

    def params(self, table: Table) -> dict[str, Any]:
        """The parameters of a statement on one item."""
        return {"table_id": table.id, "slot": self.slot, "hash_key": self.hash, "range_key": self.range}


class Stored(NamedTuple):
    """An item as it was found."""

    item: Item
    size: int


def decode_item(data: bytes) -> Item:
    """The item in a row."""
    return _decode(data)


def key_of(table: Table, key: Mapping[str, AttributeValue]) -> Key:
    """The place of a `Key` parameter, which must have the key attributes and no other; `InvalidError`."""
    attributes = table.key_attributes()
    if len(key) != len(attributes):
        raise InvalidError("The provided key element does not match the schema")
    for attribute in attributes:
        value = key.get(attribute.name)
        if value is None or kind_of(value) != attribute.type:
            raise InvalidError("The provided key element does not match the schema")
        if value[attribute.type] in ("", b""):
            raise InvalidError(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                f"cannot contain an empty {_noun(attribute)} value. Key: {attribute.name}"
            )
    return _place(table.hash, table.range, key)


def key_of_item(table: Table, item: Item) -> Key:
    """The place of a whole item; `InvalidError` when its key attributes are missing or wrong."""
    for attribute in table.key_attributes():
        value = item.get(attribute.name)
        if value is None:
            raise InvalidError(
                f"One or more parameter values were invalid: Missing the key {attribute.name} in the item"
            )
        if kind_of(value) != attribute.type:
            raise InvalidError(
                f"One or more parameter values were invalid: Type mismatch for key {attribute.name} "
                f"expected: {attribute.type} actual: {kind_of(value)}"
            )
        if value[attribute.type] in ("", b""):
            raise InvalidError(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                f"cannot contain an empty {_noun(attribute)} value. Key: {attribute.name}"
            )
    return _place(table.hash, table.range, item)


def check_index_keys(table: Table, item: Item) -> None:
    """`InvalidError` when an attribute that is an index's key has a type or a content that the index cannot hold."""
    for index in table.indexes:
        for attribute in index.key_attributes():
            value = item.get(attribute.name)
            if value is None:
                continue
            if kind_of(value) != attribute.type:
                raise InvalidError(
                    f"One or more parameter values were invalid: Type mismatch for Index Key {attribute.name} "
                    f"Expected: {attribute.type} Actual: {kind_of(value)} IndexName: {index.name}"
                )
            if value[attribute.type] in ("", b""):
                raise InvalidError(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not "
                    "supported. The AttributeValue for a key attribute cannot contain an empty "
                    f"{_noun(attribute)} value. IndexName: {index.name}, IndexKey: {attribute.name}"
                )
        if all(attribute.name in item for attribute in index.key_attributes()):
            _place(index.hash, index.range, item)


def _noun(attribute: Attribute) -> str:
    return "string" if attribute.type == "S" else "binary"


def _place(hash_attribute: Attribute, range_attribute: Attribute | None, item: Mapping[str, AttributeValue]) -> Key:
    hash_key = encode(item[hash_attribute.name])
    range_key = b"" if range_attribute is None else encode(item[range_attribute.name])
    if len(hash_key) > MAX_HASH_BYTES:
        raise InvalidError(
            "One or more parameter values were invalid: "
            "Size of hashkey has exceeded the maximum size limit of2048 bytes"
        )
    if len(range_key) > MAX_RANGE_BYTES:
        raise InvalidError(
            "One or more parameter values were invalid: "
            "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
        )
    return Key(slot_of(hash_key), hash_key, range_key)


def index_key(index: Index, item: Mapping[str, AttributeValue]) -> Key | None:
    """The place of an item in an index; None when it is not in it.

    That is when it lacks one of the index's keys, or, having been written before the index was made, holds there
    what the index cannot take.
    """
    for attribute in index.key_attributes():
        value = item.get(attribute.name)
        if value is None or kind_of(value) != attribute.type or value[attribute.type] in ("", b""):
            return None
    try:
        return _place(index.hash, index.range, item)
    except InvalidError:
        return None


def get(reader: Reader, table: Table, key: Key) -> Stored | None:
    """The item at `key`."""
    row = reader.one(statements.GET_ITEM, key.params(table))
    return None if row is None else Stored(_decode(row[0]), row[1])


def put(tx: Tx, table: Table, key: Key, item: Item, old: Stored | None) -> int:
    """Make `item` what lies at `key`, where `old` lies now; its size."""
    size = item_size(item)
    tx.run(
        statements.PUT_ITEM,
        {**key.params(table), "size_bytes": size, "expires_at": expiry_of(table, item), "item": _encode(item)},
    )
    _move_entries(tx, table, key, old.item if old else None, item)
    _add_to_totals(tx, table, 0 if old else 1, size - (old.size if old else 0))
    return size


def delete(tx: Tx, table: Table, key: Key, old: Stored) -> None:
    """Remove `old`, which lies at `key`."""
    tx.run(statements.DELETE_ITEM, key.params(table))
    _move_entries(tx, table, key, old.item, None)
    _add_to_totals(tx, table, -1, -old.size)


def _add_to_totals(tx: Tx, table: Table, items: int, size: int) -> None:
    if items or size:
        tx.run(statements.ADD_TO_TOTALS, {"table_id": table.id, "items": items, "bytes": size})


def _move_entries(tx: Tx, table: Table, key: Key, old: Item | None, new: Item | None) -> None:
    for index in table.indexes:
        before = index_key(index, old) if old is not None else None
        after = index_key(index, new) if new is not None else None
        if before != after:
            removed = remove_entry(tx, table, index, before, key) if before is not None else 0
            added = add_entry(tx, table, index, after, key) if after is not None else 0
            add_to_index_totals(tx, table, index, added - removed)


def add_entry(tx: Tx, table: Table, index: Index, entry: Key, key: Key) -> int:
    """Let `index` hold the item at `key`; 1, or 0 if it did already. The caller sees to the totals."""
    return tx.run(statements.PUT_ENTRY, {**_entry_params(table, index, entry, key), "item_slot": key.slot})


def remove_entry(tx: Tx, table: Table, index: Index, entry: Key, key: Key) -> int:
    """Take the item at `key` out of `index`; 1, or 0 if it was not there yet. The caller sees to the totals."""
    return tx.run(statements.DELETE_ENTRY, _entry_params(table, index, entry, key))


def add_to_index_totals(tx: Tx, table: Table, index: Index, items: int) -> None:
    """Count `items` more in an index."""
    if items:
        tx.run(statements.ADD_TO_INDEX_TOTALS, {"table_id": table.id, "index_id": index.id, "items": items})


def _entry_params(table: Table, index: Index, entry: Key, key: Key) -> dict[str, Any]:
    return {**entry.params(table), "index_id": index.id, "item_hash": key.hash, "item_range": key.range}


def expiry_of(table: Table, item: Item) -> int | None:
    """The second at which `item` expires; None when it does not say so with a number."""
    if table.time_to_live is None:
        return None
    value = item.get(table.time_to_live.attribute)
    if value is None or kind_of(value) != "N" or len(value["N"]) > 18:
        return None
    return int(Decimal(value["N"]))
