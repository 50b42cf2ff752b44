"""Parameters as rows. All of this runs inside the caller's transaction or snapshot."""

from collections.abc import Iterator

import msgspec

from mayfly.services.configs.parameters.model import Parameter, Place
from mayfly.services.configs.scopes import Scope
from mayfly.store.api import Reader, Tx

FIND = "SELECT definition FROM configs_parameter WHERE scope = :scope AND path = :path"
# Served by the primary key.
PAGE = """
SELECT path, definition FROM configs_parameter
WHERE scope = :scope AND path > :after AND path < :end ORDER BY path LIMIT :limit
"""
COUNT = "SELECT count(*) FROM configs_parameter WHERE scope = :scope"
PUT = """
INSERT INTO configs_parameter (scope, path, definition) VALUES (:scope, :path, :definition)
ON CONFLICT (scope, path) DO UPDATE SET definition = excluded.definition
"""
DELETE = "DELETE FROM configs_parameter WHERE scope = :scope AND path = :path"
VALUE = "SELECT value FROM configs_parameter_value WHERE scope = :scope AND path = :path AND version = :version"
PUT_VALUE = """
INSERT INTO configs_parameter_value (scope, path, version, value) VALUES (:scope, :path, :version, :value)
"""
DELETE_VALUE = "DELETE FROM configs_parameter_value WHERE scope = :scope AND path = :path AND version = :version"
DELETE_VALUES = "DELETE FROM configs_parameter_value WHERE scope = :scope AND path = :path"

_BATCH = 100
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Parameter).decode


def find(reader: Reader, place: Place) -> Parameter | None:
    row = reader.one(FIND, _key(place))
    return _decode(row[0]) if row else None


def count(reader: Reader, scope: Scope) -> int:
    row = reader.one(COUNT, {"scope": scope.key})
    assert row is not None, "a count is one row"
    return int(row[0])


def walk(reader: Reader, scope: Scope, prefix: str, after: str) -> Iterator[tuple[Place, Parameter]]:
    """All whose paths begin with `prefix`, which ends with a slash, behind `after`, in order."""
    end = prefix[:-1] + "0"  # the character after the slash
    after = max(after, prefix)
    while rows := reader.all(PAGE, {"scope": scope.key, "after": after, "end": end, "limit": _BATCH}):
        for path, definition in rows:
            yield Place(scope, path), _decode(definition)
        if len(rows) < _BATCH:
            return
        after = rows[-1][0]


def put(tx: Tx, place: Place, parameter: Parameter) -> None:
    tx.run(PUT, {**_key(place), "definition": _encode(parameter).decode()})


def delete(tx: Tx, place: Place) -> None:
    tx.run(DELETE, _key(place))
    tx.run(DELETE_VALUES, _key(place))


def value(reader: Reader, place: Place, version: int) -> bytes:
    """As it is stored: sealed, if it is secret."""
    row = reader.one(VALUE, {**_key(place), "version": version})
    assert row is not None, "a version has a value"
    return bytes(row[0])


def put_value(tx: Tx, place: Place, version: int, content: bytes) -> None:
    tx.run(PUT_VALUE, {**_key(place), "version": version, "value": content})


def delete_value(tx: Tx, place: Place, version: int) -> None:
    tx.run(DELETE_VALUE, {**_key(place), "version": version})


def _key(place: Place) -> dict[str, str]:
    return {"scope": place.scope.key, "path": place.path}
