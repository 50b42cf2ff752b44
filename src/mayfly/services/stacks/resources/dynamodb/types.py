"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.dynamodb.global_table import GlobalTable
from mayfly.services.stacks.resources.dynamodb.table import Table

TYPES: tuple[ResourceType, ...] = (GlobalTable(), Table())
