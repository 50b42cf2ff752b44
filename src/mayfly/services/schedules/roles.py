"""Execution roles: whether Scheduler may assume them, when a schedule is made and when it runs."""

from dataclasses import dataclass

from mayfly.clock import Clock
from mayfly.services.contract import Principal, ServiceError
from mayfly.services.ports import KeySource, Roles
from mayfly.services.schedules import faults
from mayfly.services.schedules.model import SERVICE_PRINCIPAL

FRESH_S = 60.0  # a role that was trusted is believed for so long, as on AWS, where changes take a while
SESSION_S = 900
_MOST = 4096


@dataclass(frozen=True, slots=True)
class ExecutionRoles:
    """Asks identity. `known` is read in the store's writer thread, and changed on the event loop."""

    roles: Roles
    keys: KeySource
    account: str
    clock: Clock
    known: dict[str, float]  # monotonic time at which a role was last found to be trusted

    async def check(self, arn: str) -> None:
        """ValidationException unless Scheduler may assume the role."""
        parts = arn.split(":")
        if parts[4] != self.account or not await self.roles.trusts(arn, SERVICE_PRINCIPAL):
            raise faults.role_unusable()
        self._note(arn)

    async def assume(self, arn: str) -> None:
        """AccessDeniedException unless Scheduler may assume the role now."""
        if self.fresh(arn):
            return
        if not await self.roles.trusts(arn, SERVICE_PRINCIPAL):
            self.known.pop(arn, None)
            raise ServiceError(
                "AccessDeniedException", f"EventBridge Scheduler is not allowed to assume the role {arn}.", status=403
            )
        self._note(arn)

    async def principal(self, arn: str, session: str) -> Principal:
        """Who calls when Scheduler has assumed the role; `ServiceError`."""
        await self.assume(arn)
        credentials = await self.roles.credentials(arn, session, SESSION_S)
        key = await self.keys.find(credentials.access_key_id, credentials.session_token)
        return key.principal

    def fresh(self, arn: str) -> bool:
        """Whether the role was found to be trusted just now, so that nobody need be asked."""
        at = self.known.get(arn)
        return at is not None and self.clock.monotonic() - at < FRESH_S

    def _note(self, arn: str) -> None:
        if len(self.known) >= _MOST:
            self.known.clear()
        self.known[arn] = self.clock.monotonic()
