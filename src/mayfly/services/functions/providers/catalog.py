"""Capacity providers as rows, and who uses them. Every function runs inside the caller's transaction or snapshot."""

from collections.abc import Iterator

import msgspec

from mayfly.services.functions import version_repository
from mayfly.services.functions.model import Function, Version
from mayfly.services.functions.providers.model import MACHINE, Provider
from mayfly.store.api import Reader, Tx

_FIND = "SELECT definition FROM functions_capacity_provider WHERE name = :name"
_ALL = "SELECT definition FROM functions_capacity_provider ORDER BY name"
_PUT = (
    "INSERT INTO functions_capacity_provider (name, definition) VALUES (:name, :definition)"
    " ON CONFLICT (name) DO UPDATE SET definition = excluded.definition"
)
_DELETE = "DELETE FROM functions_capacity_provider WHERE name = :name"
_PAGE = 500

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Provider).decode


def find(reader: Reader, name: str) -> Provider | None:
    """The machine is always there, also as long as nobody has changed it."""
    row = reader.one(_FIND, {"name": name})
    if row is None:
        return Provider(MACHINE, 0.0) if name == MACHINE else None
    return _decode(row[0])


def everything(reader: Reader) -> list[Provider]:
    """By name."""
    found = {one.name: one for one in (_decode(row[0]) for row in reader.all(_ALL))}
    found.setdefault(MACHINE, Provider(MACHINE, 0.0))
    return [found[name] for name in sorted(found)]


def put(tx: Tx, provider: Provider) -> None:
    tx.run(_PUT, {"name": provider.name, "definition": _encode(provider).decode()})


def delete(tx: Tx, name: str) -> None:
    tx.run(_DELETE, {"name": name})


def users(reader: Reader, arn: str, name: str = "", number: int = -1) -> Iterator[Function | Version]:
    """Functions and versions on the provider of that ARN, by name and number, after a given one."""
    while page := version_repository.everything(reader, name, number, _PAGE):
        for one in page:
            name, number = (one.function_name, one.number) if isinstance(one, Version) else (one.name, 0)
            if one.configuration.capacity is not None and one.configuration.capacity.provider == arn:
                yield one
