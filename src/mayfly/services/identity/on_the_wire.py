"""Identity on the wire: `iam` and `sts`. Built by the composition root, when somebody asks for one of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from mayfly.services.contract import Handler, operations_of
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
from mayfly.services.identity.service import IdentityService


@dataclass(frozen=True, slots=True)
class WireService:
    """One of identity's two faces, as `contract.Service` has it."""

    name: str
    operations: Mapping[str, Handler]


class IdentityOnTheWire:
    """Both."""

    def __init__(self, identity: IdentityService) -> None:
        store, clock, keys = identity.store, identity.clock, identity.keys
        self.iam = WireService(
            "iam",
            operations_of(
                RoleOperations(store, clock, identity.role_deleted),
                RolePolicyOperations(store),
                PolicyOperations(store, clock),
                PolicyVersionOperations(store, clock),
                TagOperations(store),
                UserOperations(store, clock, keys.forget),
                GroupOperations(store, clock),
                OwnedPolicyOperations(store),
                InstanceProfileOperations(store, clock),
                ServiceRoleOperations(store, clock, identity.role_deleted),
                AccountOperations(store),
                AccessKeyOperations(store, clock, identity.server_key, keys.forget),
            ),
        )
        self.sts = WireService("sts", operations_of(StsOperations(store, clock, identity.server_key)))
        self.services = (self.iam, self.sts)
