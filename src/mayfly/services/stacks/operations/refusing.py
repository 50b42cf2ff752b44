"""What is about AWS itself, or about many accounts and regions, and so is refused by its name; and the limits."""

from collections.abc import Mapping
from typing import Any, Final

from mayfly.services.contract import Handler, RequestContext, ServiceError, operation

_STACK_SETS = (
    "a stack set is about many accounts and regions, and an installation is one of each: deploy the stack itself"
)
_REGISTRY = "the resource types are part of Mayfly; write a custom resource for what it lacks"
_REFACTORING = "move a resource by removing it with DeletionPolicy: Retain, and importing it into the other stack"
_GENERATED = "mayfly export writes what is deployed as a template"
REASONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "CreateStackSet", "CreateStackInstances", "DeleteStackSet", "DeleteStackInstances", "DescribeStackSet",
            "DescribeStackInstance", "DescribeStackSetOperation", "DetectStackSetDrift", "ImportStacksToStackSet",
            "ListStackInstances", "ListStackSets", "ListStackSetOperations", "ListStackSetOperationResults",
            "StopStackSetOperation", "UpdateStackSet", "UpdateStackInstances", "ListStackInstanceResourceDrifts",
            "ListStackSetAutoDeploymentTargets", "ActivateOrganizationsAccess", "DeactivateOrganizationsAccess",
            "DescribeOrganizationsAccess",
        ),
        _STACK_SETS,
    ),
    **dict.fromkeys(
        (
            "RegisterType", "DeregisterType", "ActivateType", "DeactivateType", "PublishType", "RegisterPublisher",
            "SetTypeConfiguration", "SetTypeDefaultVersion", "TestType", "DescribePublisher",
            "DescribeTypeRegistration",
            "ListTypeRegistrations", "ListTypeVersions", "BatchDescribeTypeConfigurations", "RecordHandlerProgress",
        ),
        _REGISTRY,
    ),
    **dict.fromkeys(("DescribeChangeSetHooks", "ListHookResults"), "there are no hooks, because there is no registry"),
    **dict.fromkeys(
        (
            "CreateStackRefactor", "DescribeStackRefactor", "ExecuteStackRefactor", "ListStackRefactors",
            "ListStackRefactorActions",
        ),
        _REFACTORING,
    ),
    **dict.fromkeys(
        (
            "CreateGeneratedTemplate", "UpdateGeneratedTemplate", "DeleteGeneratedTemplate",
            "DescribeGeneratedTemplate", "GetGeneratedTemplate", "ListGeneratedTemplates", "StartResourceScan",
            "DescribeResourceScan", "ListResourceScans", "ListResourceScanResources",
            "ListResourceScanRelatedResources",
        ),
        _GENERATED,
    ),
    "EstimateTemplateCost": "what functions cost is in mayfly usage; nothing else has a price here",
}  # fmt: skip


def refusing() -> dict[str, Handler]:
    """Handlers that say why."""
    return {name: _handler(name, reason) for name, reason in REASONS.items()}


def _handler(name: str, reason: str) -> Handler:
    async def handle(context: RequestContext, params: Any) -> Any:
        raise ServiceError(
            "NotImplemented", f"Mayfly does not implement {name} of cloudformation: {reason}", status=501
        )

    return handle


class LimitOperations:
    @operation("DescribeAccountLimits")
    async def limits(self, context: RequestContext, params: Any) -> dict[str, Any]:
        """AWS's, of which templates make theirs; stacks are not limited in number."""
        return {
            "AccountLimits": [
                {"Name": "StackLimit", "Value": 2000},
                {"Name": "StackOutputsLimit", "Value": 200},
                {"Name": "ConcurrentResourcesLimit", "Value": 2500},
            ]
        }
