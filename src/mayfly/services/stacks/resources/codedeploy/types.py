"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.codedeploy.application import Application
from mayfly.services.stacks.resources.codedeploy.config import DeploymentConfig
from mayfly.services.stacks.resources.codedeploy.group import DeploymentGroup

TYPES: tuple[ResourceType, ...] = (
    Application(),
    DeploymentConfig(),
    DeploymentGroup(),
)
