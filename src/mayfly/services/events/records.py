"""Rows of events and what they stand for. Functions of a `Reader` or `Tx`: called inside store bodies."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from mayfly.services.events import statements as sql
from mayfly.services.events.errors import no_archive, no_bus, no_replay, no_rule
from mayfly.services.events.model import DEFAULT_BUS, Archive, Bus, BusKey, Replay, ReplayState, Rule, Target
from mayfly.store.api import Reader, Row, Tx

TOP = "\U0010ffff"

_encode = msgspec.json.Encoder().encode
_bus = msgspec.json.Decoder(Bus).decode
_rule = msgspec.json.Decoder(Rule).decode
_target = msgspec.json.Decoder(Target).decode
_archive = msgspec.json.Decoder(Archive).decode
_replay = msgspec.json.Decoder(Replay).decode


class StoredArchive(NamedTuple):
    """An archive with what only its row knows."""

    name: str
    bus: str
    serial: int
    event_count: int
    size_bytes: int
    archive: Archive


class Owner(NamedTuple):
    """Whose archives and replays."""

    account: str
    region: str


class StoredReplay(NamedTuple):
    """A replay with its name and state."""

    name: str
    archive: str
    state: ReplayState
    replay: Replay


def owner(key: BusKey | Owner) -> dict[str, str]:
    return {"account": key.account, "region": key.region}


def params(key: BusKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "bus": key.name}


def page(after: str, prefix: str, limit: int) -> dict[str, Any]:
    """Parameters for one row more than `limit` of the names that begin with `prefix`, after `after`."""
    return {"after": after, "low": prefix, "high": prefix + TOP, "limit": limit + 1}


# Buses


def find_bus(reader: Reader, key: BusKey) -> Bus | None:
    """The bus; the default one also where nothing was ever said of it."""
    row = reader.one(sql.FIND_BUS, params(key))
    if row is not None:
        return _bus(row[0])
    return Bus(0.0, 0.0) if key.name == DEFAULT_BUS else None


def is_watched(reader: Reader, key: BusKey) -> bool:
    """Whether shapes of the bus's events are written down."""
    return reader.one(sql.FIND_DISCOVERER, params(key)) is not None


def bus_of(reader: Reader, key: BusKey) -> Bus:
    """`ServiceError` ResourceNotFoundException."""
    found = find_bus(reader, key)
    if found is None:
        raise no_bus(key.name)
    return found


def put_bus(tx: Tx, key: BusKey, bus: Bus) -> None:
    tx.run(sql.PUT_BUS, {**params(key), "document": _encode(bus)})


def list_buses(reader: Reader, key: Owner, after: str, prefix: str, limit: int) -> list[tuple[str, Bus]]:
    rows = reader.all(sql.LIST_BUSES, {**owner(key), **page(after, prefix, limit)})
    return [(name, _bus(document)) for name, document in rows]


# Rules and targets


def find_rule(reader: Reader, key: BusKey, name: str) -> Rule | None:
    row = reader.one(sql.FIND_RULE, {**params(key), "name": name})
    return None if row is None else _rule(row[0])


def rule_of(reader: Reader, key: BusKey, name: str) -> Rule:
    """`ServiceError` ResourceNotFoundException, of the bus or of the rule."""
    bus_of(reader, key)
    found = find_rule(reader, key, name)
    if found is None:
        raise no_rule(name, key.name)
    return found


def put_rule(tx: Tx, key: BusKey, rule: Rule) -> None:
    tx.run(sql.PUT_RULE, {**params(key), "name": rule.name, "document": _encode(rule)})


def list_rules(reader: Reader, key: BusKey, after: str, prefix: str, limit: int) -> list[Rule]:
    return [
        _rule(document) for _, document in reader.all(sql.LIST_RULES, {**params(key), **page(after, prefix, limit)})
    ]


def all_rules(reader: Reader, key: BusKey) -> list[Rule]:
    """Every rule of a bus, of which the quota bounds how many there are."""
    return [_rule(document) for (document,) in reader.all(sql.ALL_RULES, params(key))]


def targets_of(reader: Reader, key: BusKey, rule: str) -> tuple[Target, ...]:
    """The few targets of a rule."""
    rows = reader.all(sql.TARGETS_OF_RULE, {**params(key), "rule": rule})
    return tuple(_target(document) for (document,) in rows)


def list_targets(reader: Reader, key: BusKey, rule: str, after: str, limit: int) -> list[Target]:
    where = {**params(key), "rule": rule, "after": after, "limit": limit + 1}
    return [_target(document) for (document,) in reader.all(sql.LIST_TARGETS, where)]


def all_targets(reader: Reader, key: BusKey) -> dict[str, list[Target]]:
    """The targets of every rule of a bus."""
    found: dict[str, list[Target]] = {}
    for rule, document in reader.all(sql.ALL_TARGETS, params(key)):
        found.setdefault(rule, []).append(_target(document))
    return found


def put_targets(tx: Tx, key: BusKey, rule: str, targets: Iterable[Target]) -> None:
    rows = [
        {**params(key), "rule": rule, "id": target.id, "arn": target.arn, "document": _encode(target)}
        for target in targets
    ]
    tx.many(sql.PUT_TARGET, rows)


# Tags


def tags_of(reader: Reader, arn: str) -> dict[str, str]:
    return dict(reader.all(sql.LIST_TAGS, {"arn": arn}))


def put_tags(tx: Tx, arn: str, tags: Mapping[str, str]) -> None:
    tx.many(sql.PUT_TAG, [{"arn": arn, "tag": tag, "content": content} for tag, content in tags.items()])


# Archives and replays


def _stored_archive(row: Row) -> StoredArchive:
    name, bus, serial, count, size, document = row
    return StoredArchive(name, bus, serial, count, size, _archive(document))


def find_archive(reader: Reader, key: Owner, name: str) -> StoredArchive | None:
    row = reader.one(sql.FIND_ARCHIVE, {**owner(key), "name": name})
    return None if row is None else _stored_archive(row)


def archive_of(reader: Reader, key: Owner, name: str) -> StoredArchive:
    """`ServiceError` ResourceNotFoundException."""
    found = find_archive(reader, key, name)
    if found is None:
        raise no_archive(name)
    return found


def archives_of_bus(reader: Reader, key: BusKey) -> list[StoredArchive]:
    return [_stored_archive(row) for row in reader.all(sql.ARCHIVES_OF_BUS, params(key))]


def list_archives(reader: Reader, key: Owner, after: str, prefix: str, limit: int) -> list[StoredArchive]:
    rows = reader.all(sql.LIST_ARCHIVES, {**owner(key), **page(after, prefix, limit)})
    return [_stored_archive(row) for row in rows]


def every_archive(reader: Reader, after: int, limit: int) -> list[tuple[int, Archive]]:
    """Archives of everybody, by their serials."""
    rows = reader.all(sql.EVERY_ARCHIVE, {"after": after, "limit": limit})
    return [(serial, _archive(document)) for serial, document in rows]


def insert_archive(tx: Tx, key: BusKey, name: str, archive: Archive) -> int:
    """The serial of the new archive."""
    serial = next_serial(tx)
    tx.run(sql.INSERT_ARCHIVE, {**params(key), "name": name, "serial": serial, "document": _encode(archive)})
    return serial


def replace_archive(tx: Tx, key: Owner, name: str, archive: Archive) -> None:
    tx.run(sql.REPLACE_ARCHIVE, {**owner(key), "name": name, "document": _encode(archive)})


def next_serial(tx: Tx) -> int:
    row = tx.one(sql.NEXT_SERIAL)
    assert row is not None, "the migration makes the row"
    return int(row[0])


def _stored_replay(row: Row) -> StoredReplay:
    name, archive, state, document = row
    return StoredReplay(name, archive, state, _replay(document))


def find_replay(reader: Reader, key: Owner, name: str) -> StoredReplay | None:
    row = reader.one(sql.FIND_REPLAY, {**owner(key), "name": name})
    return None if row is None else _stored_replay(row)


def replay_of(reader: Reader, key: Owner, name: str) -> StoredReplay:
    """`ServiceError` ResourceNotFoundException."""
    found = find_replay(reader, key, name)
    if found is None:
        raise no_replay(name)
    return found


def put_replay(tx: Tx, key: Owner, stored: StoredReplay) -> None:
    row = {"name": stored.name, "archive": stored.archive, "state": stored.state, "document": _encode(stored.replay)}
    tx.run(sql.PUT_REPLAY, {**owner(key), **row})


def list_replays(reader: Reader, key: Owner, after: str, prefix: str, limit: int) -> list[StoredReplay]:
    rows = reader.all(sql.LIST_REPLAYS, {**owner(key), **page(after, prefix, limit)})
    return [_stored_replay(row) for row in rows]


def active_replays(reader: Reader) -> list[tuple[Owner, str]]:
    """Those that are under way; the quota bounds how many there are."""
    return [(Owner(account, region), name) for account, region, name in reader.all(sql.ACTIVE_REPLAYS)]


def ended_replays(reader: Reader) -> list[tuple[Owner, str, Replay]]:
    return [
        (Owner(account, region), name, _replay(document))
        for account, region, name, document in reader.all(sql.ENDED_REPLAYS)
    ]
