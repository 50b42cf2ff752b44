"""ECR as far as deploying tools ask about it: whether there is a repository. There is none, and none can be made.

Mayfly takes images from any registry (`mayfly.images`) and keeps what it runs; it is no registry itself. The Serverless
Framework asks for its repository before it removes a service, and wants to hear that there is none. The AWS CDK would
say that the account is not bootstrapped, so it is told what to do instead.
"""

import re
from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import Handler, RequestContext, ServiceError, operation, operations_of

_OF_CDK = re.compile(r"cdk-[a-z0-9]+-container-assets-\d{12}-[a-z0-9-]+")


class RegistriesService:
    """A `Service`, without state."""

    name = "ecr"

    def __init__(self) -> None:
        self.operations: Mapping[str, Handler] = operations_of(self)

    @operation("DescribeRepositories")
    async def describe(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """All there are: none. `ServiceError` RepositoryNotFoundException for those that are named, and another that
        the CDK shows for its own."""
        named = params.get("repositoryNames", ())
        if named and _OF_CDK.fullmatch(named[0]):
            raise ServiceError(
                "UnsupportedCommandTypeException",
                "Mayfly has no repositories, so the CDK cannot publish assets of container images here. Bring the "
                "image by `mayfly image import ARCHIVE --name NAME:TAG`, and say mayfly.local/NAME:TAG as the "
                "function's ImageUri",
            )
        if named:
            raise _not_found(named[0], params.get("registryId", context.account))
        return {"repositories": []}

    @operation("ListImages")
    async def images(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """None, of what the CDK's bootstrap stack has as inert: `cdk gc` asks; else RepositoryNotFoundException."""
        name = params["repositoryName"]
        if _OF_CDK.fullmatch(name) is None:
            raise _not_found(name, params.get("registryId", context.account))
        return {"imageIds": []}


def _not_found(name: str, registry: str) -> ServiceError:
    return ServiceError(
        "RepositoryNotFoundException",
        f"The repository with name '{name}' does not exist in the registry with id '{registry}'",
    )
