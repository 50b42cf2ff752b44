"""Snapshots as they are kept: a row each, whose files are a blob. They outlast the server; sandboxes do not."""

import msgspec

from mayfly.sandboxes.model import SandboxMissingError, Snapshot
from mayfly.store.api import Blobs, Reader, Store, Tx

_INSERT = "INSERT INTO sandboxes_snapshot (id, created_at, document) VALUES (:id, :created_at, :document)"
_FIND = "SELECT document FROM sandboxes_snapshot WHERE id = :id"
_ALL = "SELECT document FROM sandboxes_snapshot ORDER BY created_at, id LIMIT :limit"
MOST = 1000
_DELETE = "DELETE FROM sandboxes_snapshot WHERE id = :id"


class Snapshots:
    """All of them."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs

    async def find(self, snapshot_id: str) -> Snapshot:
        """`SandboxMissingError`."""
        found = await self._store.read(lambda reader: _find(reader, snapshot_id))
        if found is None:
            raise SandboxMissingError(f"there is no snapshot {snapshot_id}")
        return found

    async def all(self) -> list[Snapshot]:
        """The oldest first."""
        return await self._store.read(lambda reader: [_read(row[0]) for row in reader.all(_ALL, {"limit": MOST})])

    async def remove(self, snapshot_id: str) -> None:
        """`SandboxMissingError`."""

        def body(tx: Tx) -> bool:
            found = _find(tx, snapshot_id)
            if found is None:
                return False
            tx.run(_DELETE, {"id": snapshot_id})
            self._blobs.unlink(tx, found.digest, _owner(snapshot_id))
            return True

        if not await self._store.write(body):
            raise SandboxMissingError(f"there is no snapshot {snapshot_id}")

    def add(self, tx: Tx, snapshot: Snapshot) -> None:
        """Within the transaction that records its blob."""
        document = msgspec.json.encode(snapshot).decode()
        tx.run(_INSERT, {"id": snapshot.id, "created_at": snapshot.created_at, "document": document})
        self._blobs.link(tx, snapshot.digest, _owner(snapshot.id))


def _find(reader: Reader, snapshot_id: str) -> Snapshot | None:
    row = reader.one(_FIND, {"id": snapshot_id})
    return _read(row[0]) if row is not None else None


def _read(document: str) -> Snapshot:
    return msgspec.json.decode(document, type=Snapshot)


def _owner(snapshot_id: str) -> str:
    return f"sandboxes:snapshot:{snapshot_id}"
