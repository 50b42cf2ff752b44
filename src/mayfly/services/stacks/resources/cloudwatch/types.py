"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.cloudwatch.alarm import Alarm
from mayfly.services.stacks.resources.cloudwatch.alarms import CompositeAlarm

TYPES: tuple[ResourceType, ...] = (Alarm(), CompositeAlarm())
