"""Between rows and `model.Function`. Every function here runs inside the caller's transaction or snapshot.

`version_repository` does the same for versions and aliases.
"""

import msgspec

from mayfly.services.functions import statements
from mayfly.services.functions.model import Function
from mayfly.store.api import Params, Reader, Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Function).decode


def _row(function: Function) -> Params:
    return {
        "name": function.name,
        "code_sha256": function.code.sha256,
        "code_size": function.code.size,
        "reserved_concurrency": function.reserved_concurrency,
        "awaits": function.awaited.sha256 if function.awaited is not None else None,
        "document": _encode(function).decode(),
    }


def find(reader: Reader, name: str) -> Function | None:
    row = reader.one(statements.FIND, {"name": name})
    return _decode(row[0]) if row else None


def find_by_url(reader: Reader, url_id: str) -> tuple[str, str | None] | None:
    """The function's name, and the alias that the URL belongs to (None: the function itself)."""
    row = reader.one(statements.FIND_BY_URL, {"url_id": url_id})
    return (row[0], row[1] or None) if row else None


def aliases_with_url(reader: Reader, name: str) -> list[str]:
    return [row[0] for row in reader.all(statements.ALIASES_WITH_URL, {"name": name})]


def page(reader: Reader, after: str, limit: int) -> list[Function]:
    """Up to `limit` functions whose names sort after `after`, in order of name."""
    return [_decode(row[0]) for row in reader.all(statements.PAGE, {"after": after, "limit": limit})]


def tags(reader: Reader) -> dict[str, dict[str, str]]:
    """Those of all functions, by name."""
    found = (_decode(row[0]) for row in reader.all(statements.ALL))
    return {function.name: function.tags for function in found}


def insert(tx: Tx, function: Function) -> bool:
    """Add a function; False when its name is taken."""
    return tx.run(statements.INSERT, _row(function)) == 1


def update(tx: Tx, function: Function) -> None:
    """Replace a function that exists, and what leads to it from its URL's id."""
    tx.run(statements.UPDATE, _row(function))


def delete(tx: Tx, name: str) -> None:
    tx.run(statements.DELETE_URLS, {"name": name})
    tx.run(statements.DELETE, {"name": name})


def link_url(tx: Tx, url_id: str, name: str, alias: str | None) -> None:
    tx.run(statements.INSERT_URL, {"url_id": url_id, "name": name, "alias": alias or ""})


def unlink_url(tx: Tx, name: str, alias: str | None) -> None:
    tx.run(statements.DELETE_URL, {"name": name, "alias": alias or ""})


def reserved_by_others(reader: Reader, name: str) -> int:
    row = reader.one(statements.RESERVED_BY_OTHERS, {"name": name})
    return int(row[0]) if row else 0


def reservations(reader: Reader) -> dict[str, int]:
    """Reserved concurrency by function, where there is any."""
    return {row[0]: int(row[1]) for row in reader.all(statements.RESERVATIONS)}


def usage(reader: Reader) -> tuple[int, int]:
    """How many functions there are, and the bytes of their packages and of all layers together."""
    row = reader.one(statements.USAGE)
    return (int(row[0]), int(row[1])) if row else (0, 0)


def code_in_use(reader: Reader) -> frozenset[str]:
    """Digests of packages and images."""
    return frozenset(row[0] for row in reader.all(statements.CODE_IN_USE))


def waiting(reader: Reader) -> list[str]:
    """Functions that wait for an image."""
    return [row[0] for row in reader.all(statements.WAITING)]
