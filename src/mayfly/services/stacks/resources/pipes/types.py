"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.pipes.pipe import Pipe

TYPES: tuple[ResourceType, ...] = (Pipe(),)
