"""Between rows and `model.LayerVersion`, inside the caller's transaction or snapshot."""

import msgspec

from mayfly.services.functions.layers import statements
from mayfly.services.functions.layers.model import LayerVersion
from mayfly.store.api import Reader, Tx

_MOST = 10**18  # no number is higher

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(LayerVersion).decode


def find(reader: Reader, name: str, number: int) -> LayerVersion | None:
    if number >= _MOST:
        return None
    row = reader.one(statements.FIND, {"name": name, "number": number})
    return _decode(row[0]) if row else None


def find_made(reader: Reader, token: str) -> LayerVersion | None:
    """What was published under a token of its publisher."""
    row = reader.one(statements.FIND_MADE, {"token": token})
    return _decode(row[0]) if row else None


def last_number(reader: Reader, name: str) -> int:
    """The highest number that was ever given to a version of this layer; 0 when none was."""
    row = reader.one(statements.LAST_NUMBER, {"name": name})
    return int(row[0]) if row else 0


def insert(tx: Tx, version: LayerVersion, token: str | None) -> None:
    tx.run(
        statements.INSERT,
        {
            "name": version.name,
            "number": version.number,
            "content_size": version.content.size,
            "runtimes": _words(version.runtimes),
            "architectures": _words(version.architectures),
            "token": token,
            "document": _encode(version).decode(),
        },
    )
    tx.run(statements.SET_LAST_NUMBER, {"name": version.name, "number": version.number})


def update(tx: Tx, version: LayerVersion) -> None:
    """Replace what can change of a version: its policy."""
    document = _encode(version).decode()
    tx.run(statements.UPDATE, {"name": version.name, "number": version.number, "document": document})


def delete(tx: Tx, version: LayerVersion) -> None:
    tx.run(statements.DELETE, {"name": version.name, "number": version.number})


def versions(
    reader: Reader, name: str, before: int | None, limit: int, runtime: str | None, architecture: str | None
) -> list[LayerVersion]:
    """Up to `limit` versions below the number `before`, falling; only those that name the runtime and architecture."""
    params = {"name": name, "before": _MOST if before is None else before, "limit": limit}
    rows = reader.all(statements.VERSIONS, {**params, **_matching(runtime, architecture)})
    return [_decode(row[0]) for row in rows]


def layers(reader: Reader, after: str, limit: int, runtime: str | None, architecture: str | None) -> list[LayerVersion]:
    """The newest version that matches of up to `limit` layers after `after`, in order of name."""
    rows = reader.all(statements.LAYERS, {"after": after, "limit": limit, **_matching(runtime, architecture)})
    return [_decode(row[0]) for row in rows]


def stored(reader: Reader) -> int:
    """The bytes of all versions' zips together."""
    row = reader.one(statements.STORED)
    return int(row[0]) if row else 0


def _words(names: tuple[str, ...] | None) -> str:
    return f" {' '.join(names or ())} "


def _matching(runtime: str | None, architecture: str | None) -> dict[str, str]:
    return {
        "runtime": "%" if runtime is None else f"% {runtime} %",
        "architecture": "%" if architecture is None else f"% {architecture} %",
    }
