"""The resource types that a template may use: those of each package, a line each.

A type that is not among them is inert where a stack has accepted it (`inert`), so asking for it gives a resource that
nothing is made for; whether it was accepted is checked before anything is asked for.
"""

from collections.abc import Mapping

from mayfly.services.stacks.resources.apigateway.types import TYPES as APIGATEWAY
from mayfly.services.stacks.resources.apigatewayv2.types import TYPES as APIGATEWAYV2
from mayfly.services.stacks.resources.autoscaling.types import TYPES as AUTOSCALING
from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.cloudformation.custom import CUSTOM, CustomResource
from mayfly.services.stacks.resources.cloudformation.types import TYPES as CLOUDFORMATION
from mayfly.services.stacks.resources.cloudwatch.types import TYPES as CLOUDWATCH
from mayfly.services.stacks.resources.codedeploy.types import TYPES as CODEDEPLOY
from mayfly.services.stacks.resources.dynamodb.types import TYPES as DYNAMODB
from mayfly.services.stacks.resources.events.types import TYPES as EVENTS
from mayfly.services.stacks.resources.iam.types import TYPES as IAM
from mayfly.services.stacks.resources.inert import Inert
from mayfly.services.stacks.resources.lambda_.types import TYPES as LAMBDA
from mayfly.services.stacks.resources.logs.types import TYPES as LOGS
from mayfly.services.stacks.resources.pipes.types import TYPES as PIPES
from mayfly.services.stacks.resources.s3.types import TYPES as S3
from mayfly.services.stacks.resources.scheduler.types import TYPES as SCHEDULER
from mayfly.services.stacks.resources.secretsmanager.types import TYPES as SECRETSMANAGER
from mayfly.services.stacks.resources.sns.types import TYPES as SNS
from mayfly.services.stacks.resources.sqs.types import TYPES as SQS
from mayfly.services.stacks.resources.ssm.types import TYPES as SSM

_PACKAGES = (
    APIGATEWAY,
    APIGATEWAYV2,
    AUTOSCALING,
    CLOUDFORMATION,
    CLOUDWATCH,
    CODEDEPLOY,
    DYNAMODB,
    EVENTS,
    IAM,
    LAMBDA,
    LOGS,
    PIPES,
    S3,
    SCHEDULER,
    SNS,
    SECRETSMANAGER,
    SQS,
    SSM,
)


class Known(dict[str, ResourceType]):
    """Types by their name in a template. What begins with `Custom::` is a custom resource; any other that is not in
    there can be asked for all the same, and is inert."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and CUSTOM.fullmatch(name) is not None)

    def __missing__(self, name: str) -> ResourceType:
        return CustomResource() if CUSTOM.fullmatch(name) is not None else Inert(name)


def resource_types() -> Mapping[str, ResourceType]:
    """All types, by their name in a template."""
    return Known({item.name: item for types in _PACKAGES for item in types})
