"""Functions that rotate secrets, called as Lambda's service principal for secrets may call them."""

from mayfly import ids
from mayfly.services.configs.secrets import faults
from mayfly.services.configs.secrets.model import Place
from mayfly.services.configs.secrets.rotation import RotationFailedError
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.ports import EventTargets, SdkOperations

PRINCIPAL = "secretsmanager.amazonaws.com"
_SHOWN = 300  # characters of what a function said


class FunctionCalls:
    """`rotation.RotationCalls`."""

    def __init__(self, targets: EventTargets, operations: SdkOperations, endpoint: str) -> None:
        self._targets = targets
        self._operations = operations
        self._endpoint = endpoint

    async def check(self, function: str, secret_arn: str, account: str) -> None:
        """`ServiceError` AccessDeniedException unless the function is there and its policy lets secrets call it."""
        if not function.startswith("arn:aws:lambda:"):
            raise faults.not_invocable()
        try:
            await self._targets.check(function, PRINCIPAL, secret_arn, account)
        except ServiceError:
            raise faults.not_invocable() from None

    async def call(self, function: str, event: dict[str, str], place: Place) -> None:
        """`RotationFailedError`."""
        try:
            await self._targets.check(function, PRINCIPAL, event["SecretId"], place.scope.account)
            reply = await self._operations.call_json(
                self._context(place), "lambda", "Invoke", {"FunctionName": function, "Payload": event}
            )
        except ServiceError as error:
            raise RotationFailedError(str(error)) from error
        if "FunctionError" in reply:
            raise RotationFailedError(f"the function answered {await _text(reply.get('Payload', b''))}")

    def _context(self, place: Place) -> RequestContext:
        return RequestContext(
            request_id=ids.request_id(),
            account=place.scope.account,
            region=place.scope.region,
            principal=Principal("service", place.scope.account, PRINCIPAL, PRINCIPAL),
            endpoint=self._endpoint,
            user_agent=PRINCIPAL,
        )


async def _text(payload: object) -> str:
    if isinstance(payload, bytes):
        return payload[:_SHOWN].decode(errors="replace")
    parts = [part async for part in payload]  # type: ignore[attr-defined]  # a stream of the contract
    return b"".join(parts)[:_SHOWN].decode(errors="replace")
