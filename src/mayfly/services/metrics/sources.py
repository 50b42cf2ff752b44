"""How far a source of the platform's own metrics was read: moved on in the transaction that records what was read."""

from mayfly.services.metrics import statements as sql
from mayfly.store.api import Reader, Tx


def position(reader: Reader, source: str) -> int | None:
    """Where to read on; None for a source that was never read."""
    row = reader.one(sql.FIND_POSITION, {"name": source})
    return None if row is None else int(row[0])


def move_to(tx: Tx, source: str, place: int) -> None:
    """Read on from `place` the next time."""
    tx.run(sql.PUT_POSITION, {"name": source, "position": place})
