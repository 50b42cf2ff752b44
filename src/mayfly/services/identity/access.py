"""What a principal may do while policies are not evaluated: everything, or next to nothing. Pure.

The wire asks before it calls a handler, and so does whoever calls operations in process, so that the answer is the
same on every way in. When policies are evaluated this is where it will happen.
"""

from mayfly.services.contract import Principal
from mayfly.services.identity.faults import access_denied

# What a user's key may do without any policy: these ask either for nothing, or the trust policy of a role.
_OPEN_TO_USERS = {("sts", "GetCallerIdentity"), ("sts", "AssumeRole")}


class UserAccess:
    """`ports.Access`: root and sessions of roles act freely, users' keys fail closed."""

    def authorize(self, principal: Principal, service: str, operation: str) -> None:
        """Return if `principal` may call `operation` of `service` (botocore's names); `ServiceError` AccessDenied."""
        if principal.kind == "user" and (service, operation) not in _OPEN_TO_USERS:
            raise access_denied(principal.arn, f"{_ACTION_PREFIX.get(service, service)}:{operation}")


# Where the prefix of a policy's actions is not botocore's name of the service.
_ACTION_PREFIX = {"dynamodbstreams": "dynamodb", "apigatewayv2": "apigateway", "stepfunctions": "states"}
