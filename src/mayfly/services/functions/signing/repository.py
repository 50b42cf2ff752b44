"""Between rows and `model.SigningConfig`, inside the caller's transaction or snapshot."""

import msgspec

from mayfly.services.functions.signing import statements
from mayfly.services.functions.signing.model import SigningConfig
from mayfly.store.api import Params, Reader, Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(SigningConfig).decode


def find(reader: Reader, config_id: str) -> SigningConfig | None:
    row = reader.one(statements.FIND, {"id": config_id})
    return _decode(row[0]) if row else None


def find_made(reader: Reader, token: str) -> SigningConfig | None:
    """What was made under a token of its maker."""
    row = reader.one(statements.FIND_MADE, {"token": token})
    return _decode(row[0]) if row else None


def of_function(reader: Reader, name: str) -> SigningConfig | None:
    """What deployments to a function must meet; None: nothing."""
    row = reader.one(statements.OF_FUNCTION, {"name": name})
    return _decode(row[0]) if row else None


def page(reader: Reader, after: str, limit: int) -> list[SigningConfig]:
    """Up to `limit` configurations after an id, in order of ids."""
    return [_decode(row[0]) for row in reader.all(statements.PAGE, {"after": after, "limit": limit})]


def functions(reader: Reader, config_id: str, after: str, limit: int) -> list[str]:
    """Names of up to `limit` functions after a name that must meet a configuration, in order."""
    rows = reader.all(statements.FUNCTIONS, {"id": config_id, "after": after, "limit": limit})
    return [row[0] for row in rows]


def insert(tx: Tx, config: SigningConfig, token: str | None) -> None:
    tx.run(statements.INSERT, {**_row(config), "token": token})


def update(tx: Tx, config: SigningConfig) -> None:
    tx.run(statements.UPDATE, _row(config))


def delete(tx: Tx, config: SigningConfig) -> None:
    tx.run(statements.DELETE, {"id": config.id})


def bind(tx: Tx, name: str, config: SigningConfig) -> None:
    """From now on deployments to a function must meet it."""
    tx.run(statements.BIND, {"name": name, "id": config.id})


def unbind(tx: Tx, name: str) -> None:
    """Or nothing any more; also where the function goes. Idempotent."""
    tx.run(statements.UNBIND, {"name": name})


def _row(config: SigningConfig) -> Params:
    return {"id": config.id, "document": _encode(config).decode()}
