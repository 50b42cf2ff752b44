"""Execution roles: whether a service may assume the role that a resource of its names, and who it is then.

Shared by the services that act on behalf of their resources: schedules and pipes.
"""

from mayfly.clock import Clock
from mayfly.services.contract import Principal, ServiceError
from mayfly.services.ports import KeySource, Roles

FRESH_S = 60.0  # a role that was trusted is believed for so long, as on AWS, where changes take a while
SESSION_S = 900
_MOST = 4096


class ExecutionRoles:
    """Asks identity. What it remembers is read in the store's writer thread, and changed on the event loop."""

    def __init__(self, roles: Roles, keys: KeySource, account: str, service: str, clock: Clock) -> None:
        self._roles = roles
        self._keys = keys
        self._account = account
        self._service = service  # its principal: "scheduler.amazonaws.com"
        self._clock = clock
        self._known: dict[str, float] = {}  # monotonic time at which a role was last found to be trusted

    async def usable(self, arn: str) -> bool:
        """Whether the service may assume the role, as of now."""
        parts = arn.split(":")
        if len(parts) < 6 or parts[4] != self._account or not await self._roles.trusts(arn, self._service):
            self._known.pop(arn, None)
            return False
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[arn] = self._clock.monotonic()
        return True

    async def assume(self, arn: str) -> None:
        """AccessDeniedException unless the service may assume the role."""
        if not self.fresh(arn) and not await self.usable(arn):
            raise ServiceError(
                "AccessDeniedException", f"{self._service} is not allowed to assume the role {arn}.", status=403
            )

    async def principal(self, arn: str, session: str) -> Principal:
        """Who calls when the service has assumed the role; `ServiceError`."""
        await self.assume(arn)
        credentials = await self._roles.credentials(arn, session, SESSION_S)
        key = await self._keys.find(credentials.access_key_id, credentials.session_token)
        return key.principal

    def fresh(self, arn: str) -> bool:
        """Whether the role was found to be trusted just now, so that nobody need be asked."""
        at = self._known.get(arn)
        return at is not None and self._clock.monotonic() - at < FRESH_S
