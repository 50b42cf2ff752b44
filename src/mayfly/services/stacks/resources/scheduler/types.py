"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.scheduler.schedule import Schedule
from mayfly.services.stacks.resources.scheduler.schedule_group import ScheduleGroup

TYPES: tuple[ResourceType, ...] = (Schedule(), ScheduleGroup())
