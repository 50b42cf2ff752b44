"""One write to one item: what the caller wants, and carrying it out inside a transaction.

PutItem, UpdateItem, DeleteItem, batches and transactions all come down to `Write`s, prepared on the event loop and
carried out by `perform` in the store's writer thread, where nothing comes between the condition and the change.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from mayfly.services.tables import items
from mayfly.services.tables.errors import ConditionFailedError, InvalidError
from mayfly.services.tables.expressions import updates
from mayfly.services.tables.expressions.ast import Arithmetic, Condition, Set, Update
from mayfly.services.tables.expressions.conditions import holds
from mayfly.services.tables.expressions.errors import UpdateError
from mayfly.services.tables.expressions.operand_types import stated_type
from mayfly.services.tables.items import Key, Stored
from mayfly.services.tables.key_paths import check_scalar_keys
from mayfly.services.tables.model import Table
from mayfly.services.tables.values import MAX_DEPTH, MAX_ITEM_BYTES, TOO_DEEP, Item, depth_of, item_size, kind_of
from mayfly.store.api import Tx


@dataclass(frozen=True, slots=True)
class Write:
    """A change of one item, or with kind "check" only a look at it."""

    table_name: str
    kind: Literal["put", "update", "delete", "check"]
    item: Item  # the whole item of a put, else the key
    condition: Condition | None = None
    update: Update | None = None
    show_on_failure: bool = False  # whether a failed condition reports the item that it found


class Effect(NamedTuple):
    """What a write did."""

    old: Item | None
    new: Item | None


def place_of(table: Table, write: Write) -> Key:
    """Which item `write` is about; `InvalidError`."""
    return items.key_of_item(table, write.item) if write.kind == "put" else items.key_of(table, write.item)


def perform(tx: Tx, table: Table, write: Write) -> Effect:
    """Carry `write` out; `ConditionFailedError` or `InvalidError`, after which nothing was changed."""
    key = place_of(table, write)
    check_against(table, write)
    stored = items.get(tx, table, key)
    old = stored.item if stored else None
    if write.condition is not None and not holds(write.condition, old):
        raise ConditionFailedError(old if write.show_on_failure else None)
    if write.kind == "check":
        return Effect(old, old)
    if write.kind == "delete":
        if stored is not None:
            items.delete(tx, table, key, stored)
        return Effect(old, None)
    new = write.item if write.kind == "put" else _updated(table, write, stored)
    items.put(tx, table, key, new, stored)
    return Effect(old, new)


def check_against(table: Table, write: Write) -> None:
    """`InvalidError` when the table's keys do not allow `write`, whatever the item is."""
    if write.kind == "put":
        items.check_index_keys(table, write.item)
    if write.update is None:
        return
    keys = {attribute.name for attribute in table.key_attributes()}
    for action in write.update.actions:
        if action.path.head in keys:
            raise InvalidError(
                f"One or more parameter values were invalid: Cannot update attribute {action.path.head}. "
                "This attribute is part of the key"
            )
    stated = {
        action.path.head: stated_type(action.value)
        for action in write.update.actions
        if isinstance(action, Set) and len(action.path.parts) == 1 and not isinstance(action.value, Arithmetic)
    }
    for index in table.indexes:
        for attribute in index.key_attributes():
            if stated.get(attribute.name) not in (None, attribute.type):
                raise InvalidError(
                    f"One or more parameter values were invalid: Type mismatch for Index Key {attribute.name} "
                    f"Expected: {attribute.type} Actual: {stated[attribute.name]} IndexName: {index.name}"
                )
    check_scalar_keys(table, [action.path for action in write.update.actions])


def check_size(item: Item) -> None:
    """`InvalidError` when `item` is larger than DynamoDB takes."""
    if item_size(item) > MAX_ITEM_BYTES:
        raise InvalidError("Item size has exceeded the maximum allowed size")


def _updated(table: Table, write: Write, stored: Stored | None) -> Item:
    before = stored.item if stored else write.item
    if write.update is None:
        return before
    try:
        new = updates.apply(write.update, before)
    except UpdateError as error:
        raise InvalidError(str(error)) from None
    _check_new_index_keys(table, before, new)
    for action in write.update.actions:
        # A value fits by itself; what it was put into may lie deep already.
        if len(action.path.parts) > 1 and depth_of(new.get(action.path.head, {"NULL": True})) > MAX_DEPTH:
            raise InvalidError(TOO_DEEP)
    if item_size(new) > MAX_ITEM_BYTES:
        raise InvalidError("Item size to update has exceeded the maximum allowed size")
    return new


def _check_new_index_keys(table: Table, before: Item, new: Item) -> None:
    """`InvalidError` when an update has put into an index's key what it cannot hold; what was there may stay."""
    for index in table.indexes:
        for attribute in index.key_attributes():
            value = new.get(attribute.name)
            if value is not None and value != before.get(attribute.name) and kind_of(value) != attribute.type:
                raise InvalidError(
                    "The update expression attempted to update the secondary index key to unsupported type"
                )
    changed = {name: value for name, value in new.items() if before.get(name) != value}
    items.check_index_keys(table, changed)
