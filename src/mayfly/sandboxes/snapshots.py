"""Snapshots as they are kept: a row each, whose files are a blob. They outlast the server; sandboxes do not.

Variables of a snapshot are sealed, as those of functions are.
"""

import logging

import msgspec
from msgspec.structs import replace

from mayfly.errors import PlatformError
from mayfly.sandboxes.model import SandboxMissingError, Snapshot
from mayfly.store.api import Blobs, Reader, Row, Store, Tx, Vault

_INSERT = """
INSERT INTO sandboxes_snapshot (id, created_at, document, variables) VALUES (:id, :created_at, :document, :variables)
"""
_FIND = "SELECT document, variables FROM sandboxes_snapshot WHERE id = :id"
_ALL = "SELECT document, variables FROM sandboxes_snapshot ORDER BY created_at, id LIMIT :limit"
MOST = 1000
_DELETE = "DELETE FROM sandboxes_snapshot WHERE id = :id"
_encode = msgspec.json.Encoder().encode
_variables = msgspec.json.Decoder(dict[str, str]).decode

_log = logging.getLogger(__name__)


class Snapshots:
    """All of them."""

    def __init__(self, store: Store, blobs: Blobs, vault: Vault) -> None:
        self._store = store
        self._blobs = blobs
        self._vault = vault

    async def find(self, snapshot_id: str) -> Snapshot:
        """`SandboxMissingError`; `PlatformError` when its variables cannot be read any more."""
        row = await self._store.read(lambda reader: reader.one(_FIND, {"id": snapshot_id}))
        if row is None:
            raise SandboxMissingError(f"there is no snapshot {snapshot_id}")
        return self._opened(row)

    async def all(self) -> list[Snapshot]:
        """The oldest first. Variables that cannot be read any more are left out."""
        return [self._shown(row) for row in await self._store.read(lambda reader: reader.all(_ALL, {"limit": MOST}))]

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
        variables = snapshot.wanted.environment
        sealed = self._vault.seal(_encode(variables), _about(snapshot.id)) if variables else None
        document = _encode(_with(snapshot, {})).decode()
        row = {"id": snapshot.id, "created_at": snapshot.created_at, "document": document, "variables": sealed}
        tx.run(_INSERT, row)
        self._blobs.link(tx, snapshot.digest, _owner(snapshot.id))

    def _opened(self, row: Row) -> Snapshot:
        snapshot = _read(row[0])
        if row[1] is None:
            return snapshot
        return _with(snapshot, _variables(self._vault.open(row[1], _about(snapshot.id))))

    def _shown(self, row: Row) -> Snapshot:
        try:
            return self._opened(row)
        except PlatformError as error:
            _log.warning("%s", error)
            return _read(row[0])


def _with(snapshot: Snapshot, variables: dict[str, str]) -> Snapshot:
    return replace(snapshot, wanted=replace(snapshot.wanted, environment=variables))


def _about(snapshot_id: str) -> str:
    return f"variables of snapshot {snapshot_id}"


def _find(reader: Reader, snapshot_id: str) -> Snapshot | None:
    row = reader.one(_FIND, {"id": snapshot_id})
    return _read(row[0]) if row is not None else None


def _read(document: str) -> Snapshot:
    return msgspec.json.decode(document, type=Snapshot)


def _owner(snapshot_id: str) -> str:
    return f"sandboxes:snapshot:{snapshot_id}"
