"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.sqs.queue import Queue
from mayfly.services.stacks.resources.sqs.queue_policy import QueueInlinePolicy, QueuePolicy

TYPES: tuple[ResourceType, ...] = (
    Queue(),
    QueueInlinePolicy(),
    QueuePolicy(),
)
