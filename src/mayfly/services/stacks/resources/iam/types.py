"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.iam.access_key import AccessKey
from mayfly.services.stacks.resources.iam.group import Group, UserToGroupAddition
from mayfly.services.stacks.resources.iam.instance_profile import InstanceProfile
from mayfly.services.stacks.resources.iam.managed_policy import ManagedPolicy
from mayfly.services.stacks.resources.iam.owned_policy import OWNED
from mayfly.services.stacks.resources.iam.policy import InlinePolicy
from mayfly.services.stacks.resources.iam.role import Role
from mayfly.services.stacks.resources.iam.service_linked_role import ServiceLinkedRole
from mayfly.services.stacks.resources.iam.user import User

TYPES: tuple[ResourceType, ...] = (
    AccessKey(),
    Group(),
    InlinePolicy(),
    InstanceProfile(),
    ManagedPolicy(),
    *OWNED,
    Role(),
    ServiceLinkedRole(),
    User(),
    UserToGroupAddition(),
)
