"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.logs.filters import MetricFilter, SubscriptionFilter
from mayfly.services.stacks.resources.logs.log_group import LogGroup
from mayfly.services.stacks.resources.logs.log_stream import LogStream
from mayfly.services.stacks.resources.logs.resource_policy import ResourcePolicy

TYPES: tuple[ResourceType, ...] = (
    LogGroup(),
    LogStream(),
    MetricFilter(),
    ResourcePolicy(),
    SubscriptionFilter(),
)
