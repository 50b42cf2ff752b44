"""What is done with events that arrive in a group: filters, as they are kept, and those of each group at hand.

A subscription filter hands events on, a metric filter measures them. The book asks for the filters of a group with
every batch that arrives, so they are kept compiled.
"""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from mayfly.services.telemetry import patterns
from mayfly.services.telemetry import statements as sql
from mayfly.services.telemetry.patterns import Pattern
from mayfly.store.api import Reader, Row, Tx

Kind = Literal["subscription", "metric"]
MOST: dict[Kind, int] = {"subscription": 2, "metric": 100}  # of one group


class Subscription(msgspec.Struct, frozen=True):
    """Where events go."""

    destination: str  # an ARN
    distribution: str = "ByLogStream"
    role: str | None = None


class Transformation(msgspec.Struct, frozen=True):
    """What a metric filter measures."""

    name: str
    namespace: str
    value: str  # a number, or the column or property that has it
    default: float | None = None  # of minutes in which events arrived and none was selected
    unit: str = "None"
    dimensions: tuple[tuple[str, str], ...] = ()  # name, and the column or property with its value


@dataclass(frozen=True, slots=True)
class Filter:
    kind: Kind
    name: str
    group: str
    text: str  # of the pattern
    pattern: Pattern
    created_ms: int
    subscription: Subscription | None = None
    transformation: Transformation | None = None


def packed(settings: Subscription | Transformation) -> str:
    """As a column keeps it."""
    return msgspec.json.encode(settings).decode()


def unpacked(row: Row) -> Filter:
    """A filter from its row. What is stored was checked when it was put."""
    kind, name, group, text, settings, created_ms = row
    pattern = patterns.parse(text)
    if kind == "subscription":
        said = msgspec.json.decode(settings, type=Subscription)
        return Filter("subscription", name, group, text, pattern, created_ms, subscription=said)
    measured = msgspec.json.decode(settings, type=Transformation)
    return Filter("metric", name, group, text, pattern, created_ms, transformation=measured)


class Filters:
    """Those of each group, in memory once they were asked for. `changed` is for whoever puts or deletes one."""

    def __init__(self) -> None:
        self._of_group: dict[int, tuple[Filter, ...]] = {}

    def of(self, reader: Reader, group_id: int) -> tuple[Filter, ...]:
        """The filters of a group."""
        found = self._of_group.get(group_id)
        if found is None:
            rows = reader.all(sql.FILTERS_OF_GROUP, {"group": group_id})
            found = self._of_group[group_id] = tuple(unpacked(row) for row in rows)
        return found

    def changed(self, tx: Tx, group_id: int) -> None:
        """Forget what is known of a group, once the change is durable."""

        def forget() -> Any:
            self._of_group.pop(group_id, None)

        tx.after_commit(forget)
