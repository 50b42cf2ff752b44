"""Where scaling is, the ARNs of what it keeps, and what a request names. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mayfly.ids import PARTITION
from mayfly.services.autoscaling import faults
from mayfly.services.autoscaling.model import DIMENSION, NAMESPACE, Action, Policy, Target

_RESOURCE = re.compile(r"function:[a-zA-Z0-9\-_]{1,64}:(?!\$LATEST)[a-zA-Z0-9\-_]{1,128}")


@dataclass(frozen=True, slots=True)
class Home:
    """Where all of this installation lives."""

    account: str
    region: str

    def target_arn(self, target: Target) -> str:
        return f"arn:{PARTITION}:application-autoscaling:{self.region}:{self.account}:scalable-target/{target.id}"

    def policy_arn(self, policy: Policy) -> str:
        return f"{self._prefix('scalingPolicy', policy.id, policy.resource)}:policyName/{policy.name}"

    def action_arn(self, action: Action) -> str:
        return f"{self._prefix('scheduledAction', action.id, action.resource)}:scheduledActionName/{action.name}"

    @property
    def role_arn(self) -> str:
        """The service-linked role that AWS would have scaled with. Nothing needs it here."""
        return (
            f"arn:{PARTITION}:iam::{self.account}:role/aws-service-role/lambda.application-autoscaling.amazonaws.com/"
            "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency"
        )

    def _prefix(self, kind: str, id_: str, resource: str) -> str:
        return f"arn:{PARTITION}:autoscaling:{self.region}:{self.account}:{kind}:{id_}:resource/{NAMESPACE}/{resource}"


def described(resource: str) -> str:
    """A place in words, as errors name it."""
    return f"service namespace: {NAMESPACE}, resource ID: {resource}, scalable dimension: {DIMENSION}"


def check_namespace(params: Mapping[str, Any]) -> None:
    """`ServiceError` ValidationException unless it is what is scaled here."""
    dimension = params.get("ScalableDimension", DIMENSION)
    if params["ServiceNamespace"] != NAMESPACE or dimension != DIMENSION:
        raise faults.elsewhere(params["ServiceNamespace"], params.get("ScalableDimension", ""))


def resource_of(params: Mapping[str, Any]) -> str:
    """The resource that a request names; `ServiceError` ValidationException."""
    check_namespace(params)
    resource: str = params["ResourceId"]
    if not _RESOURCE.fullmatch(resource):
        raise faults.validation(
            "Unsupported service namespace, resource type or scalable dimension: the ResourceId of "
            f"{DIMENSION} is function:NAME:QUALIFIER, where the qualifier is an alias or the number of a version."
        )
    return resource
