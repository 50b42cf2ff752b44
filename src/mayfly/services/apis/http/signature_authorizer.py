"""Routes of HTTP APIs with the authorization type AWS_IAM: requests have to be signed for `execute-api`."""

from mayfly.errors import CallerError
from mayfly.services.apis.http import refusals
from mayfly.services.apis.http.exchange import Exchange
from mayfly.services.contract import Principal
from mayfly.services.ports import Signatures

_SERVICE = "execute-api"


class SignatureAuthorizer:
    """`Authorize` for one account: its root and the sessions of its roles may call, as everywhere on the platform while
    policies of users are not evaluated; others fail closed."""

    def __init__(self, signatures: Signatures, account: str) -> None:
        self._signatures = signatures
        self._account = account

    async def authorize(self, exchange: Exchange) -> None:
        """See `compiled.Authorize`."""
        try:
            caller = await self._signatures.principal(exchange.request, exchange.body, _SERVICE)
        except CallerError as error:
            exchange.authorizer_error = str(error)
            raise refusals.forbidden(str(error)) from error
        if caller.account != self._account or caller.kind == "user":
            raise refusals.forbidden(f"{caller.arn} may not call the API")
        exchange.authorizer = {"iam": shown(caller)}


def shown(caller: Principal) -> dict[str, str | None]:
    """Who calls, as format 2.0 says it."""
    return {
        "accessKey": caller.access_key_id,
        "accountId": caller.account,
        "callerId": caller.user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.user_id,
    }
