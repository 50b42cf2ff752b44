"""What of an item can be seen through an index."""

from mayfly.services.tables.model import Index, Table
from mayfly.services.tables.values import Item


def projected_names(table: Table, index: Index) -> frozenset[str] | None:
    """The attributes that an index holds; None for all."""
    if index.projection == "ALL":
        return None
    keys = {attribute.name for attribute in (*table.key_attributes(), *index.key_attributes())}
    return frozenset(keys.union(index.included))


def visible(table: Table, index: Index, item: Item) -> Item:
    """`item` as the index holds it."""
    names = projected_names(table, index)
    return item if names is None else {name: value for name, value in item.items() if name in names}
