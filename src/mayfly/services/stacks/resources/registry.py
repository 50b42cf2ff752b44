"""The resource types that a template may use."""

from collections.abc import Mapping

from mayfly.services.stacks.resources.autoscaling_policy import ScalingPolicy
from mayfly.services.stacks.resources.autoscaling_target import ScalableTarget
from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.cloudwatch_alarm import Alarm
from mayfly.services.stacks.resources.codedeploy_application import Application
from mayfly.services.stacks.resources.codedeploy_config import DeploymentConfig
from mayfly.services.stacks.resources.codedeploy_group import DeploymentGroup
from mayfly.services.stacks.resources.dynamodb_table import Table
from mayfly.services.stacks.resources.iam_policy import InlinePolicy, ManagedPolicy
from mayfly.services.stacks.resources.iam_role import Role
from mayfly.services.stacks.resources.lambda_alias import Alias
from mayfly.services.stacks.resources.lambda_capacity_provider import CapacityProvider
from mayfly.services.stacks.resources.lambda_code_signing_config import CodeSigningConfig
from mayfly.services.stacks.resources.lambda_event_invoke_config import EventInvokeConfig
from mayfly.services.stacks.resources.lambda_event_source_mapping import EventSourceMapping
from mayfly.services.stacks.resources.lambda_function import Function
from mayfly.services.stacks.resources.lambda_layer_permission import LayerPermission
from mayfly.services.stacks.resources.lambda_layer_version import LayerVersion
from mayfly.services.stacks.resources.lambda_permission import Permission
from mayfly.services.stacks.resources.lambda_url import Url
from mayfly.services.stacks.resources.lambda_version import Version
from mayfly.services.stacks.resources.logs_log_group import LogGroup
from mayfly.services.stacks.resources.s3_bucket import Bucket
from mayfly.services.stacks.resources.sqs_queue import Queue
from mayfly.services.stacks.resources.sqs_queue_policy import QueuePolicy


def resource_types() -> Mapping[str, ResourceType]:
    """All types, by their name in a template."""
    known: tuple[ResourceType, ...] = (
        Alias(),
        Alarm(),
        Application(),
        Bucket(),
        CapacityProvider(),
        DeploymentConfig(),
        DeploymentGroup(),
        CodeSigningConfig(),
        EventInvokeConfig(),
        EventSourceMapping(),
        Function(),
        InlinePolicy(),
        LayerPermission(),
        LayerVersion(),
        LogGroup(),
        ManagedPolicy(),
        Permission(),
        Queue(),
        QueuePolicy(),
        Role(),
        ScalableTarget(),
        ScalingPolicy(),
        Table(),
        Url(),
        Version(),
    )
    return {item.name: item for item in known}
