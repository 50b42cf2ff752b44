"""Rows of connections and API destinations. Functions of a `Reader` or `Tx`: called inside store bodies."""

from typing import Any, Final, NamedTuple

import msgspec

from mayfly.services.events.connections import Connection, ConnectionKey, State
from mayfly.services.events.destinations import Destination
from mayfly.services.events.errors import not_found
from mayfly.store.api import Reader, Tx

TOP: Final = "\U0010ffff"
_OWNER: Final = "account = :account AND region = :region"
_PAGE: Final = f"{_OWNER} AND name > :after AND name >= :low AND name < :high ORDER BY name LIMIT :limit"

FIND_CONNECTION: Final = f"SELECT document, secret FROM events_connections WHERE {_OWNER} AND name = :name"
PUT_CONNECTION: Final = """
INSERT INTO events_connections (account, region, name, state, document, secret)
VALUES (:account, :region, :name, :state, :document, :secret)
ON CONFLICT (account, region, name)
DO UPDATE SET state = excluded.state, document = excluded.document, secret = excluded.secret
"""
DELETE_CONNECTION: Final = f"DELETE FROM events_connections WHERE {_OWNER} AND name = :name"
LIST_CONNECTIONS: Final = f"SELECT name, document FROM events_connections WHERE {_PAGE}"
COUNT_CONNECTIONS: Final = f"SELECT COUNT(*) FROM events_connections WHERE {_OWNER}"
CONNECTIONS_IN_STATE: Final = """
SELECT account, region, name FROM events_connections WHERE state = :state ORDER BY account, region, name LIMIT :limit
"""
FIND_DESTINATION: Final = f"SELECT document FROM events_destinations WHERE {_OWNER} AND name = :name"
PUT_DESTINATION: Final = """
INSERT INTO events_destinations (account, region, name, connection, document)
VALUES (:account, :region, :name, :connection, :document)
ON CONFLICT (account, region, name) DO UPDATE SET connection = excluded.connection, document = excluded.document
"""
DELETE_DESTINATION: Final = f"DELETE FROM events_destinations WHERE {_OWNER} AND name = :name"
LIST_DESTINATIONS: Final = f"SELECT name, document FROM events_destinations WHERE {_PAGE}"
COUNT_DESTINATIONS: Final = f"SELECT COUNT(*) FROM events_destinations WHERE {_OWNER}"

_encode = msgspec.json.Encoder().encode
_connection = msgspec.json.Decoder(Connection).decode
_destination = msgspec.json.Decoder(Destination).decode


class Stored(NamedTuple):
    """A connection and its secret, sealed."""

    connection: Connection
    sealed: bytes


def find_connection(reader: Reader, key: ConnectionKey) -> Stored | None:
    row = reader.one(FIND_CONNECTION, key._asdict())
    return None if row is None else Stored(_connection(row[0]), row[1])


def connection_of(reader: Reader, key: ConnectionKey) -> Stored:
    """The connection; ResourceNotFoundException."""
    found = find_connection(reader, key)
    if found is None:
        raise not_found(f"Failed to describe the connection(s). Connection '{key.name}' does not exist.")
    return found


def connection_by_arn(reader: Reader, key: ConnectionKey, id_: str) -> Stored | None:
    """The connection, if it is the one that was meant, and not a later one of the same name."""
    found = find_connection(reader, key)
    return found if found is not None and found.connection.id == id_ else None


def put_connection(tx: Tx, key: ConnectionKey, connection: Connection, sealed: bytes) -> None:
    document = {"state": connection.state, "document": _encode(connection), "secret": sealed}
    tx.run(PUT_CONNECTION, {**key._asdict(), **document})


def list_connections(
    reader: Reader, account: str, region: str, after: str, prefix: str, limit: int
) -> list[tuple[str, Connection]]:
    """Up to `limit` + 1 connections after a name."""
    rows = reader.all(LIST_CONNECTIONS, _page(account, region, after, prefix, limit))
    return [(row[0], _connection(row[1])) for row in rows]


def connections_in(reader: Reader, state: State, limit: int) -> list[ConnectionKey]:
    return [ConnectionKey(*row) for row in reader.all(CONNECTIONS_IN_STATE, {"state": state, "limit": limit})]


def find_destination(reader: Reader, account: str, region: str, name: str) -> Destination | None:
    row = reader.one(FIND_DESTINATION, {"account": account, "region": region, "name": name})
    return None if row is None else _destination(row[0])


def destination_of(reader: Reader, account: str, region: str, name: str) -> Destination:
    """The API destination; ResourceNotFoundException."""
    found = find_destination(reader, account, region, name)
    if found is None:
        raise not_found(f"Failed to describe the api-destination(s). An api-destination '{name}' does not exist.")
    return found


def put_destination(tx: Tx, account: str, region: str, name: str, destination: Destination) -> None:
    document = {"connection": destination.connection_arn, "document": _encode(destination)}
    tx.run(PUT_DESTINATION, {"account": account, "region": region, "name": name, **document})


def list_destinations(
    reader: Reader, account: str, region: str, after: str, prefix: str, limit: int
) -> list[tuple[str, Destination]]:
    """Up to `limit` + 1 API destinations after a name."""
    rows = reader.all(LIST_DESTINATIONS, _page(account, region, after, prefix, limit))
    return [(row[0], _destination(row[1])) for row in rows]


def count(reader: Reader, sql: str, account: str, region: str) -> int:
    row = reader.one(sql, {"account": account, "region": region})
    return 0 if row is None else int(row[0])


def _page(account: str, region: str, after: str, prefix: str, limit: int) -> dict[str, Any]:
    bounds = {"after": after, "low": prefix, "high": prefix + TOP, "limit": limit + 1}
    return {"account": account, "region": region, **bounds}
