"""What a principal may do while policies are not evaluated: everything, or next to nothing.

The composition root puts a guard around every service before the wire, or anybody else, gets it, so that the answer
is the same on every way in. When policies are evaluated this is where it will happen.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from mayfly.services.contract import Handler, Principal, RequestContext, Service
from mayfly.services.identity.faults import access_denied
from mayfly.services.ports import KeySource, SigningKey

# What a user's key may do without any policy: these ask either for nothing, or the trust policy of a role.
_OPEN_TO_USERS = {("sts", "GetCallerIdentity"), ("sts", "AssumeRole")}
# Where the prefix of a policy's actions is not botocore's name of the service.
_ACTION_PREFIX = {"dynamodbstreams": "dynamodb", "apigatewayv2": "apigateway", "stepfunctions": "states"}


def authorize(principal: Principal, service: str, operation: str) -> None:
    """Return if `principal` may call `operation` of `service` (botocore's names); `ServiceError` AccessDenied.

    Root and the sessions of roles act freely, users' keys fail closed.
    """
    if principal.kind == "user" and (service, operation) not in _OPEN_TO_USERS:
        raise access_denied(principal.arn, f"{_ACTION_PREFIX.get(service, service)}:{operation}")


@dataclass(frozen=True, slots=True)
class GuardedService:
    """A service that asks `authorize` before each of its operations."""

    name: str
    operations: Mapping[str, Handler]


def guarded(service: Service) -> GuardedService:
    """`service` with a guard before it."""

    def guard(name: str, handler: Handler) -> Handler:
        def handle(context: RequestContext, params: Any) -> Awaitable[Any]:
            authorize(context.principal, service.name, name)
            return handler(context, params)

        return handle

    return GuardedService(service.name, {name: guard(name, handler) for name, handler in service.operations.items()})


class ActingKeys:
    """A `KeySource` for ways in that lead past the services (function URLs, the platform's own pages): no users."""

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys

    async def find(self, access_key_id: str, session_token: str | None) -> SigningKey:
        """The key; `ServiceError` InvalidClientTokenId, ExpiredToken, or AccessDenied for a user's."""
        key = await self._keys.find(access_key_id, session_token)
        if key.principal.kind == "user":
            raise access_denied(key.principal.arn, "lambda:InvokeFunctionUrl")
        return key
