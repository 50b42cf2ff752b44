"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.secretsmanager.policy import ResourcePolicy
from mayfly.services.stacks.resources.secretsmanager.rotation import RotationSchedule
from mayfly.services.stacks.resources.secretsmanager.secret import Secret

TYPES: tuple[ResourceType, ...] = (ResourcePolicy(), RotationSchedule(), Secret())
