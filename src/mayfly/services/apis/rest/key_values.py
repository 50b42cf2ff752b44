"""Values of API keys at rest: sealed, and found by their fingerprints. Runs inside the caller's transaction."""

from mayfly.services.apis.rest import plans
from mayfly.services.apis.rest import statements as sql
from mayfly.services.apis.rest.catalog import text
from mayfly.services.apis.rest.model import ApiKey
from mayfly.services.ports import Vault
from mayfly.store.api import Reader, Tx

_FINDING = "API key"


class KeyValues:
    """Seals, opens and finds them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def insert(self, tx: Tx, key: ApiKey, value: str) -> None:
        """A new key."""
        row = {"id": key.id, "created_at": key.created_at, "definition": text(key)}
        sealed = self._vault.seal(value.encode(), _use(key.id))
        tx.run(sql.INSERT_KEY, {**row, "fingerprint": self._fingerprint(value), "sealed_value": sealed})

    def key_of(self, reader: Reader, value: str) -> ApiKey | None:
        """The key with a value."""
        row = reader.one(sql.FIND_KEY_BY_FINGERPRINT, {"fingerprint": self._fingerprint(value)})
        return plans.decoded_key(row[0]) if row else None

    def of(self, reader: Reader, key_id: str) -> str:
        """The value of a key that is there; `PlatformError` when it cannot be read any more."""
        row = reader.one(sql.FIND_KEY_VALUE, {"id": key_id})
        assert row is not None, "the caller has found the key"
        return self._vault.open(row[0], _use(key_id)).decode()

    def _fingerprint(self, value: str) -> bytes:
        return self._vault.fingerprint(value.encode(), _FINDING)


def _use(key_id: str) -> str:
    return f"value of API key {key_id}"
