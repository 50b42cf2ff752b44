"""How far a mapping has come in a stream, as rows: one for each lane of each shard.

Whoever begins to read claims the rows, which raises their epochs; a checkpoint brings the epoch that was claimed, and
is refused once somebody else has claimed. So a process that was thought dead moves nothing any more.
"""

import msgspec

from mayfly.services.functions.mappings import statements
from mayfly.store.api import Reader, StaleClaimError, Tx

_MOST = 100_000  # rows of one mapping


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tumbling window that is open."""

    began_at: float  # Unix seconds
    state: str = "{}"  # JSON
    early: bool = False  # it ends before its time, because its state is too large


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Records behind those before it that come in calls of their own, because a call with them failed."""

    last: str  # sequence number
    attempts: int


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a lane is."""

    factor: int  # lanes of a shard
    done: str = "0"  # nothing up to this sequence number comes again
    ended: bool = False  # the shard is closed, and all of it is done
    parts: tuple[Part, ...] = ()
    window: Window | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Checkpoint).decode


def load(reader: Reader, mapping: str) -> dict[tuple[str, int], Checkpoint]:
    """By shard and lane."""
    rows = reader.all(statements.SHARDS, {"mapping": mapping, "limit": _MOST})
    return {_place(key): _decode(definition) for key, definition in rows}


def claim(tx: Tx, mapping: str, shard: str, lane: int, checkpoint: Checkpoint) -> int:
    """Put a checkpoint in the place of what is there, and be the only one to move it; the epoch."""
    key = _key(shard, lane)
    row = tx.one(statements.FIND_SHARD, {"mapping": mapping, "shard": key})
    epoch = 1 if row is None else int(row[0]) + 1
    document = {"mapping": mapping, "shard": key, "epoch": epoch, "definition": _encode(checkpoint).decode()}
    tx.run(statements.PUT_SHARD, document)
    return epoch


def move(tx: Tx, mapping: str, shard: str, lane: int, epoch: int, checkpoint: Checkpoint) -> None:
    """`StaleClaimError` when somebody else has claimed the lane, or the mapping is gone."""
    document = {"mapping": mapping, "shard": _key(shard, lane), "epoch": epoch}
    if not tx.run(statements.MOVE_SHARD, {**document, "definition": _encode(checkpoint).decode()}):
        raise StaleClaimError(f"lane {lane} of {shard} is read by somebody else")


def forget(tx: Tx, mapping: str, shard: str, lane: int) -> None:
    tx.run(statements.DELETE_SHARD, {"mapping": mapping, "shard": _key(shard, lane)})


def _key(shard: str, lane: int) -> str:
    return f"{shard}#{lane}"


def _place(key: str) -> tuple[str, int]:
    shard, _, lane = key.rpartition("#")
    return shard, int(lane)
