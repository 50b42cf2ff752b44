"""Secrets as rows. All of this runs inside the caller's transaction or snapshot."""

from collections.abc import Iterator

import msgspec

from mayfly.services.configs.scopes import Scope
from mayfly.services.configs.secrets import faults, names
from mayfly.services.configs.secrets.model import Place, Secret
from mayfly.store.api import Reader, Tx

FIND = "SELECT definition FROM configs_secret WHERE scope = :scope AND name = :name"
# Served by the primary key.
ALL = "SELECT name, definition FROM configs_secret WHERE scope = :scope AND name > :after ORDER BY name LIMIT :limit"
PUT = """
INSERT INTO configs_secret (scope, name, definition) VALUES (:scope, :name, :definition)
ON CONFLICT (scope, name) DO UPDATE SET definition = excluded.definition
"""
DELETE = "DELETE FROM configs_secret WHERE scope = :scope AND name = :name"
VALUE = "SELECT value FROM configs_secret_value WHERE scope = :scope AND name = :name AND version = :version"
PUT_VALUE = "INSERT INTO configs_secret_value (scope, name, version, value) VALUES (:scope, :name, :version, :value)"
DELETE_VALUE = "DELETE FROM configs_secret_value WHERE scope = :scope AND name = :name AND version = :version"
DELETE_VALUES = "DELETE FROM configs_secret_value WHERE scope = :scope AND name = :name"

_BATCH = 100
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Secret).decode


def find(reader: Reader, place: Place) -> Secret | None:
    row = reader.one(FIND, _key(place))
    return _decode(row[0]) if row else None


def meant(reader: Reader, scope: Scope, id_: str) -> tuple[Place, Secret]:
    """The secret of a name, an ARN or a partial ARN; `ServiceError` ResourceNotFoundException."""
    for name, suffix in names.candidates(scope, id_):
        secret = find(reader, Place(scope, name))
        if secret is not None and suffix in (None, secret.suffix):
            return Place(scope, name), secret
    raise faults.not_found()


def alive(reader: Reader, scope: Scope, id_: str) -> tuple[Place, Secret]:
    """`meant`; `ServiceError` InvalidRequestException for one that is to be deleted."""
    place, secret = meant(reader, scope, id_)
    if secret.deleted_at is not None:
        raise faults.deleted()
    return place, secret


def walk(reader: Reader, scope: Scope) -> Iterator[tuple[Place, Secret]]:
    """All, by name."""
    after = ""
    while rows := reader.all(ALL, {"scope": scope.key, "after": after, "limit": _BATCH}):
        for name, definition in rows:
            yield Place(scope, name), _decode(definition)
        after = rows[-1][0]


def put(tx: Tx, place: Place, secret: Secret) -> None:
    tx.run(PUT, {**_key(place), "definition": _encode(secret).decode()})


def delete(tx: Tx, place: Place) -> None:
    tx.run(DELETE, _key(place))
    tx.run(DELETE_VALUES, _key(place))


def value(reader: Reader, place: Place, version: str) -> bytes | None:
    """As it is stored: sealed."""
    row = reader.one(VALUE, {**_key(place), "version": version})
    return None if row is None else bytes(row[0])


def put_value(tx: Tx, place: Place, version: str, content: bytes) -> None:
    tx.run(PUT_VALUE, {**_key(place), "version": version, "value": content})


def delete_value(tx: Tx, place: Place, version: str) -> None:
    tx.run(DELETE_VALUE, {**_key(place), "version": version})


def _key(place: Place) -> dict[str, str]:
    return {"scope": place.scope.key, "name": place.name}
