"""AWS_PROXY with a subtype: an operation of a service, called with parameters, in process."""

import asyncio
from collections.abc import Mapping

import msgspec

from mayfly.services.apis.integrations import subtypes
from mayfly.services.apis.integrations.api import IntegrationError, Outcome
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.ports import SdkOperations

_SESSION = "BackplaneAssumeRoleSession"


class Actions:
    """Calls what subtypes name."""

    def __init__(self, operations: SdkOperations, roles: ExecutionRoles, account: str, region: str, url: str) -> None:
        self._operations = operations
        self._roles = roles
        self._account = account
        self._region = region
        self._url = url

    async def call(
        self, subtype: str, parameters: Mapping[str, str], credentials: str, request_id: str, timeout_s: float = 30.0
    ) -> Outcome:
        """What the operation answers, as JSON, its refusals included; `IntegrationError` where it cannot be called."""
        found = subtypes.SUBTYPES.get(subtype)
        if found is None:
            name = subtypes.REFUSED.get(subtype, subtype)
            raise IntegrationError("configuration", f"Mayfly has no {name}, so nothing can be integrated with it")
        try:
            document = subtypes.document_of(subtype, parameters)
        except ValueError as error:
            return _refusal(ServiceError("BadRequestException", str(error), status=400))
        named = await self._operations.find(found.service, found.operation)
        if named is None:
            raise IntegrationError("configuration", f"Mayfly does not implement {found.operation} of {found.service}")
        region = parameters.get("Region", self._region)
        try:
            principal = await self._roles.principal(credentials, _SESSION)
        except ServiceError as error:
            raise IntegrationError("configuration", f"{error.code}: {error.message}") from error
        context = RequestContext(request_id, self._account, region, principal, self._url)
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._operations.call_json(context, *named, document)
        except TimeoutError as error:
            raise IntegrationError("timeout", f"{found.service} did not answer within {timeout_s:g} s") from error
        except ServiceError as error:
            return _refusal(error)
        return Outcome(200, (("content-type", "application/json"),), msgspec.json.encode(reply))


def _refusal(error: ServiceError) -> Outcome:
    content = msgspec.json.encode({"__type": error.code, "message": error.message})
    return Outcome(error.status or 400, (("content-type", "application/json"),), content)
