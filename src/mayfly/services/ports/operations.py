"""Operations of other services, in process."""

from collections.abc import Mapping
from typing import Any, Protocol

from mayfly.services.contract import HttpRequest, HttpResponse, Principal, RequestContext


class Operations(Protocol):
    """Given by the wire, used by stacks: any operation of any service, in process, validated like one from outside."""

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The reply; `ServiceError`."""


class SdkOperations(Protocol):
    """Given by the wire, used by schedules: operations by the names and the JSON that AWS's SDKs have for them."""

    async def find(self, service: str, action: str) -> tuple[str, str] | None:
        """botocore's names for what the SDKs call "sqs" and "sendMessage"; None for what Mayfly does not implement."""

    async def call_json(
        self, context: RequestContext, service: str, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Call an operation that `find` named with parameters as JSON; the reply; `ServiceError`."""


class ServiceRequests(Protocol):
    """Given by the wire, used by APIs: requests to services as they stand on the wire, sent in process."""

    def knows(self, service: str) -> bool:
        """Whether there is a service of that name, as endpoints and ARNs have it ("sqs", "states")."""

    async def send(
        self, request: HttpRequest, principal: Principal, service: str, region: str, action: str | None = None
    ) -> HttpResponse:
        """The reply to a request that `principal` makes, whoever has signed it; any status is one.

        `action`: the operation, where the request does not name it itself. Services that answer in XML to forms answer
        in JSON unless the header `accept` asks for XML. `ServiceError`: there is no such service, or it has no actions.
        """
