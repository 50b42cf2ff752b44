"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.sns.subscription import Subscription
from mayfly.services.stacks.resources.sns.topic import Topic
from mayfly.services.stacks.resources.sns.topic_policy import TopicInlinePolicy, TopicPolicy

TYPES: tuple[ResourceType, ...] = (
    Subscription(),
    Topic(),
    TopicInlinePolicy(),
    TopicPolicy(),
)
