"""ECR as far as deploying tools ask about it: whether there is a repository. There is none, and none can be made.

Mayfly takes images from any registry (`mayfly.images`) and keeps what it runs; it is no registry itself. The Serverless
Framework asks for its repository before it removes a service, and wants to hear that there is none.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import Handler, RequestContext, ServiceError, operation, operations_of


class RegistriesService:
    """A `Service`, without state."""

    name = "ecr"

    def __init__(self) -> None:
        self.operations: Mapping[str, Handler] = operations_of(self)

    @operation("DescribeRepositories")
    async def describe(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """All there are: none. `ServiceError` RepositoryNotFoundException for those that are named."""
        named = params.get("repositoryNames")
        if named:
            raise ServiceError(
                "RepositoryNotFoundException",
                f"The repository with name '{named[0]}' does not exist in the registry with id "
                f"'{params.get('registryId', context.account)}'",
            )
        return {"repositories": []}
