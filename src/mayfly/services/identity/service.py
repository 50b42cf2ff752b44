"""Identity, built: what the rest of the platform needs of it, which every request does. `on_the_wire` has the rest."""

from dataclasses import dataclass
from pathlib import Path

from mayfly.clock import Clock
from mayfly.services.identity.access import ActingKeys
from mayfly.services.identity.keys import Keys
from mayfly.services.identity.root_key import RootKey, ensure_root_key, given_root_key
from mayfly.services.identity.sessions import RoleSessions
from mayfly.services.identity.tokens import load_server_key
from mayfly.store.api import Store


@dataclass(frozen=True, slots=True)
class Secrets:
    """What identity keeps in private files beside the store."""

    root: RootKey
    server_key: bytes

    @classmethod
    def load(
        cls, data: Path, account: str, access_key_id: str | None = None, secret_access_key: str | None = None
    ) -> "Secrets":
        """The secrets of data directory `data`, made at the first start; blocks on the disk.

        A root key that is given (both parts) is used instead of the one in the file, which is then neither made nor
        accepted. `RootKeyError`, `PrivateFileError`, `TokenError`.
        """
        if access_key_id or secret_access_key:
            root = given_root_key(account, access_key_id or "", secret_access_key or "")
        else:
            root = ensure_root_key(data, account)
        return cls(root, load_server_key(data))


class IdentityService:
    """`keys` for the signatures of the wire, `roles` (ports.Roles) for functions.

    `acting_keys` is a `ports.KeySource` that knows no users: for signatures on what is no operation of a service.
    """

    def __init__(self, store: Store, clock: Clock, secrets: Secrets) -> None:
        root, server_key = secrets.root, secrets.server_key
        self.store, self.clock, self.server_key = store, clock, server_key
        self.root_key = root
        self.keys = Keys(store, clock, root, server_key)
        self.acting_keys = ActingKeys(self.keys)
        self.roles = RoleSessions(store, clock, server_key, root.account)

    def role_deleted(self) -> None:
        """A role is gone: let nobody act on what was known of it."""
        self.roles.forget()
        self.keys.forget()
