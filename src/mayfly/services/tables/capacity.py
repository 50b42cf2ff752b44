"""Capacity units, as DynamoDB documents them: what an operation would have cost there.

Nothing is throttled by them; they are reported to callers who ask with `ReturnConsumedCapacity`. A read costs one unit
each 4 KB when consistent and half of that otherwise; a write one unit each 1 KB of the larger of the old and the new
item; in a transaction twice as much. An index is written when what it holds of the item changes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mayfly.services.tables.items import index_key
from mayfly.services.tables.model import Table
from mayfly.services.tables.projections import visible
from mayfly.services.tables.values import Item, item_size

READ_BYTES = 4096
WRITE_BYTES = 1024


@dataclass
class Consumed:
    """Units that one operation took of one table."""

    table: Table
    kind: Literal["read", "write"]
    units: float = 0.0
    by_index: dict[str, float] = field(default_factory=dict)

    def add(self, units: float, index: str | None = None) -> None:
        """Count units of the table itself, or of one of its indexes."""
        if index is None:
            self.units += units
        else:
            self.by_index[index] = self.by_index.get(index, 0.0) + units

    def shape(self, mode: str, *, detailed: bool = False) -> dict[str, Any]:
        """`ConsumedCapacity` of a reply; `detailed` names the kind of the units, as transactions do."""
        total = self.units + sum(self.by_index.values())
        shaped: dict[str, Any] = {"TableName": self.table.name, "CapacityUnits": total}
        prefix = {"read": "Read", "write": "Write"}[self.kind]
        if detailed:
            shaped[f"{prefix}CapacityUnits"] = total
        if mode == "INDEXES":
            shaped["Table"] = self._one(self.units, prefix, detailed)
            for index in self.table.indexes:
                if index.name in self.by_index:
                    member = "GlobalSecondaryIndexes" if index.is_global else "LocalSecondaryIndexes"
                    one = self._one(self.by_index[index.name], prefix, detailed)
                    shaped.setdefault(member, {})[index.name] = one
        return shaped

    @staticmethod
    def _one(units: float, prefix: str, detailed: bool) -> dict[str, float]:
        return {"CapacityUnits": units, f"{prefix}CapacityUnits": units} if detailed else {"CapacityUnits": units}


def reported(request: Mapping[str, Any], consumed: Consumed) -> dict[str, Any]:
    """The member `ConsumedCapacity` of a reply, or nothing when the caller did not ask for it."""
    mode = request.get("ReturnConsumedCapacity", "NONE")
    return {} if mode == "NONE" else {"ConsumedCapacity": consumed.shape(mode)}


def reported_all(request: Mapping[str, Any], consumed: Iterable[Consumed], *, detailed: bool = False) -> dict[str, Any]:
    """`reported`, for replies that cover several tables."""
    mode = request.get("ReturnConsumedCapacity", "NONE")
    if mode == "NONE":
        return {}
    return {"ConsumedCapacity": [one.shape(mode, detailed=detailed) for one in consumed]}


def read_units(size: int, *, consistent: bool) -> float:
    """What reading `size` bytes costs; nothing found costs as much as one small item."""
    return max(1, -(-size // READ_BYTES)) * (1.0 if consistent else 0.5)


def write_units(size: int) -> float:
    """What writing `size` bytes costs."""
    return float(max(1, -(-size // WRITE_BYTES)))


def count_write(consumed: Consumed, old: Item | None, new: Item | None, factor: float = 1.0) -> None:
    """Count what it costs to make `new` of `old`."""
    sizes = [item_size(item) for item in (old, new) if item is not None]
    consumed.add(factor * write_units(max(sizes, default=0)))
    for index in consumed.table.indexes:
        before = index_key(index, old) if old is not None else None
        after = index_key(index, new) if new is not None else None
        held = visible(consumed.table, index, old) if old is not None and before else None
        holds = visible(consumed.table, index, new) if new is not None and after else None
        if held == holds:
            continue
        if before == after:
            consumed.add(factor * write_units(max(item_size(held or {}), item_size(holds or {}))), index.name)
            continue
        for entry in (held, holds):
            if entry is not None:
                consumed.add(factor * write_units(item_size(entry)), index.name)
