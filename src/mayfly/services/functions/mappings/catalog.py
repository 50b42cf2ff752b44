"""Mappings as rows. Every function runs inside the caller's transaction or snapshot."""

import msgspec

from mayfly.services.functions.mappings import statements
from mayfly.services.functions.mappings.model import Mapping
from mayfly.store.api import Params, Reader, Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Mapping).decode


def find(reader: Reader, uuid: str) -> Mapping | None:
    row = reader.one(statements.FIND, {"uuid": uuid})
    return None if row is None else _decode(row[0])


def rival(reader: Reader, mapping: Mapping) -> Mapping | None:
    """The other mapping that does what this one would do."""
    row = reader.one(statements.FIND_DUTY, {"duty": duty(mapping)})
    found = None if row is None else _decode(row[0])
    return found if found is not None and found.uuid != mapping.uuid else None


def insert(tx: Tx, mapping: Mapping) -> None:
    tx.run(statements.INSERT, _row(mapping))


def update(tx: Tx, mapping: Mapping) -> None:
    tx.run(statements.UPDATE, _row(mapping))


def delete(tx: Tx, uuid: str) -> None:
    """Remove a mapping, and what it remembers of its source."""
    tx.run(statements.DELETE_SHARDS, {"mapping": uuid})
    tx.run(statements.DELETE, {"uuid": uuid})


def page(reader: Reader, after: str, limit: int, source: str | None = None, target: str | None = None) -> list[Mapping]:
    """Up to `limit` mappings after the one with the id `after`, of one source or function name."""
    bounds = {"after": after, "limit": limit}
    if source is not None:
        rows = reader.all(statements.PAGE_OF_SOURCE, {**bounds, "source": source})
    elif target is not None:
        rows = reader.all(statements.PAGE_OF_TARGET, {**bounds, "target": target})
    else:
        rows = reader.all(statements.PAGE, bounds)
    return [_decode(row[0]) for row in rows]


def function_name(arn: str) -> str:
    """The name in the ARN of a function, version or alias."""
    return arn.split(":")[6]


def duty(mapping: Mapping) -> str:
    """What no two mappings do: read one source for one function; of a cluster, one topic of it."""
    return "\n".join([mapping.source, mapping.function, *mapping.topics])


def _row(mapping: Mapping) -> Params:
    return {
        "uuid": mapping.uuid,
        "source": mapping.source,
        "target": function_name(mapping.function),
        "duty": duty(mapping),
        "definition": _encode(mapping).decode(),
    }
