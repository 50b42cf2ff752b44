"""Pipes as rows."""

import msgspec

from mayfly.services.pipes import faults, statements
from mayfly.services.pipes.model import Pipe
from mayfly.store.api import Reader, Tx

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Pipe).decode
_LAST = "\U0010ffff"


def find(reader: Reader, name: str) -> Pipe | None:
    """The pipe, or None."""
    row = reader.one(statements.FIND, {"name": name})
    return None if row is None else _decode(row[0])


def existing(reader: Reader, name: str) -> Pipe:
    """The pipe; NotFoundException."""
    pipe = find(reader, name)
    if pipe is None:
        raise faults.missing(name)
    return pipe


def put(tx: Tx, pipe: Pipe) -> None:
    """Write a pipe in the place of what was there."""
    tx.run(
        statements.PUT,
        {
            "name": pipe.name,
            "desired": pipe.desired,
            "state": pipe.state,
            "source": pipe.source,
            "target": pipe.target,
            "definition": _encode(pipe),
        },
    )


def delete(tx: Tx, name: str) -> None:
    tx.run(statements.DELETE, {"name": name})


def page(
    reader: Reader,
    after: str,
    limit: int,
    *,
    prefix: str = "",
    desired: str | None = None,
    state: str | None = None,
    source: str = "",
    target: str = "",
) -> list[Pipe]:
    """Up to `limit` pipes in the order of their names, after the one named `after`."""
    bounds = {
        "after": after,
        "limit": limit,
        "prefix": prefix,
        "past": prefix + _LAST,
        "desired": desired,
        "state": state,
        "source": source,
        "source_past": source + _LAST,
        "target": target,
        "target_past": target + _LAST,
    }
    return [_decode(row[0]) for row in reader.all(statements.LIST, bounds)]
