"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.autoscaling.policy import ScalingPolicy
from mayfly.services.stacks.resources.autoscaling.target import ScalableTarget
from mayfly.services.stacks.resources.base import ResourceType

TYPES: tuple[ResourceType, ...] = (
    ScalingPolicy(),
    ScalableTarget(),
)
