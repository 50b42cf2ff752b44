"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.events.api_destination import ApiDestination
from mayfly.services.stacks.resources.events.archive import Archive
from mayfly.services.stacks.resources.events.connection import Connection
from mayfly.services.stacks.resources.events.event_bus import EventBus
from mayfly.services.stacks.resources.events.event_bus_policy import EventBusPolicy
from mayfly.services.stacks.resources.events.rule import Rule

TYPES: tuple[ResourceType, ...] = (
    ApiDestination(),
    Archive(),
    Connection(),
    EventBus(),
    EventBusPolicy(),
    Rule(),
)
