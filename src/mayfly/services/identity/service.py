"""Identity, built: two services on the wire (`iam`, `sts`) and what the rest of the platform needs of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mayfly.clock import Clock
from mayfly.services.contract import Handler, operations_of
from mayfly.services.identity.access import ActingKeys
from mayfly.services.identity.keys import Keys
from mayfly.services.identity.operations.account import AccountOperations
from mayfly.services.identity.operations.groups import GroupOperations
from mayfly.services.identity.operations.instance_profiles import InstanceProfileOperations
from mayfly.services.identity.operations.owned_policies import OwnedPolicyOperations
from mayfly.services.identity.operations.policies import PolicyOperations
from mayfly.services.identity.operations.policy_versions import PolicyVersionOperations
from mayfly.services.identity.operations.role_policies import RolePolicyOperations
from mayfly.services.identity.operations.roles import RoleOperations
from mayfly.services.identity.operations.service_roles import ServiceRoleOperations
from mayfly.services.identity.operations.sts import StsOperations
from mayfly.services.identity.operations.tags import TagOperations
from mayfly.services.identity.operations.users import AccessKeyOperations, UserOperations
from mayfly.services.identity.root_key import RootKey, ensure_root_key, given_root_key
from mayfly.services.identity.sessions import RoleSessions
from mayfly.services.identity.tokens import load_server_key
from mayfly.store.api import Store


@dataclass(frozen=True, slots=True)
class WireService:
    """One of identity's two faces, as `contract.Service` has it."""

    name: str
    operations: Mapping[str, Handler]


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
    """`iam` and `sts` for the wire, `keys` for its signatures, `roles` (ports.Roles) for functions.

    `acting_keys` is a `ports.KeySource` that knows no users: for signatures on what is no operation of a service.
    """

    def __init__(self, store: Store, clock: Clock, secrets: Secrets) -> None:
        root, server_key = secrets.root, secrets.server_key
        self.root_key = root
        self.keys = Keys(store, clock, root, server_key)
        self.acting_keys = ActingKeys(self.keys)
        self.roles = RoleSessions(store, clock, server_key, root.account)
        self.iam = WireService(
            "iam",
            operations_of(
                RoleOperations(store, clock, self._role_deleted),
                RolePolicyOperations(store),
                PolicyOperations(store, clock),
                PolicyVersionOperations(store, clock),
                TagOperations(store),
                UserOperations(store, clock, self.keys.forget),
                GroupOperations(store, clock),
                OwnedPolicyOperations(store),
                InstanceProfileOperations(store, clock),
                ServiceRoleOperations(store, clock, self._role_deleted),
                AccountOperations(store),
                AccessKeyOperations(store, clock, server_key, self.keys.forget),
            ),
        )
        self.sts = WireService("sts", operations_of(StsOperations(store, clock, server_key)))

    def _role_deleted(self) -> None:
        self.roles.forget()
        self.keys.forget()
