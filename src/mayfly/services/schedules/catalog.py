"""Schedules and groups as rows, found and changed inside transactions, together with their rows at the ticker."""

import json
from collections.abc import Mapping

import msgspec

from mayfly.services.schedules import faults
from mayfly.services.schedules import statements as sql
from mayfly.services.schedules.model import Group, Schedule
from mayfly.store.api import Reader, Tx
from mayfly.ticker.ticker import Moment, Ticker

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Schedule).decode
_LAST = "\U0010ffff"


def find(reader: Reader, group: str, name: str) -> Schedule | None:
    """The schedule, or None."""
    row = reader.one(sql.FIND_SCHEDULE, {"group": group, "name": name})
    return None if row is None else _decode(row[0])


def existing(reader: Reader, group: str, name: str) -> Schedule:
    """The schedule; ResourceNotFoundException when it, or its group, is not there."""
    schedule = find(reader, group, name)
    if schedule is None:
        existing_group(reader, group)
        raise faults.schedule_missing(name)
    return schedule


def put(tx: Tx, ticker: Ticker, schedule: Schedule, moment: Moment | None) -> None:
    """Write a schedule, due at `moment` next."""
    row = {"group": schedule.group, "name": schedule.name, "state": schedule.state, "definition": _encode(schedule)}
    tx.run(sql.PUT_SCHEDULE, row)
    ticker.set(tx, schedule.key, moment)


def remove(tx: Tx, schedule_group: str, name: str) -> int:
    """Delete a schedule, whose tick the caller ends; how many there were."""
    return tx.run(sql.DELETE_SCHEDULE, {"group": schedule_group, "name": name})


def page(
    reader: Reader, group: str | None, prefix: str, state: str | None, after: tuple[str, str], limit: int
) -> list[Schedule]:
    """Up to `limit` schedules in the order of their groups and names, after the one named `after`."""
    bounds = {**prefix_range(prefix), "state": state, "limit": limit, "after_name": after[1]}
    if group is not None:
        rows = reader.all(sql.LIST_SCHEDULES_OF_GROUP, {**bounds, "group": group})
    else:
        rows = reader.all(sql.LIST_SCHEDULES, {**bounds, "after_group": after[0]})
    return [_decode(row[0]) for row in rows]


def find_group(reader: Reader, name: str) -> Group | None:
    """The group, or None."""
    row = reader.one(sql.FIND_GROUP, {"name": name})
    return None if row is None else Group(*row)


def existing_group(reader: Reader, name: str) -> Group:
    """The group; ResourceNotFoundException."""
    group = find_group(reader, name)
    if group is None:
        raise faults.group_missing(name)
    return group


def usable_group(reader: Reader, name: str) -> Group:
    """The group, one that is not being deleted; ResourceNotFoundException or ConflictException."""
    group = existing_group(reader, name)
    if group.state == "DELETING":
        raise faults.group_deleting(name)
    return group


def page_of_groups(reader: Reader, prefix: str, after: str, limit: int) -> list[Group]:
    """Up to `limit` groups in the order of their names, after the one named `after`."""
    rows = reader.all(sql.LIST_GROUPS, {**prefix_range(prefix), "after": after, "limit": limit})
    return [Group(*row) for row in rows]


def tags_of(group: Group) -> dict[str, str]:
    tags: dict[str, str] = json.loads(group.tags)
    return tags


def prefix_range(prefix: str) -> Mapping[str, str]:
    """The bounds of names that begin with `prefix`."""
    return {"prefix": prefix, "past": prefix + _LAST}
