"""Everything that an event can be sent to, by the service in its ARN."""

from mayfly.ids import Arn
from mayfly.services.contract import ServiceError
from mayfly.services.ports import PLAIN, EventTargets, TargetOptions
from mayfly.store.api import Tx


class Targets:
    """`ports.EventTargets` over those of the services. Made by the root, which adds services as they are built."""

    def __init__(self) -> None:
        self._services: dict[str, EventTargets] = {}

    def add(self, service: str, targets: EventTargets) -> None:
        """Send what is for ARNs of `service` ("lambda", "sqs") to `targets`."""
        self._services[service] = targets

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        """See `ports.EventTargets`."""
        await self._of(arn).check(arn, principal, source_arn, source_account)

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        """See `ports.EventTargets`."""
        self._of(arn).accept(tx, arn, event, options)

    def _of(self, arn: str) -> EventTargets:
        try:
            service = Arn.parse(arn).service
        except ValueError:
            raise ServiceError("ValidationException", f"{arn!r} is no ARN.") from None
        found = self._services.get(service)
        if found is None:
            known = ", ".join(sorted(self._services))
            raise ServiceError(
                "ValidationException", f"Mayfly cannot send events to {arn}: it knows targets of {known}."
            )
        return found
