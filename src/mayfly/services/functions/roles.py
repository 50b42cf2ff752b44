"""Whether a function may run as a role, when it is made and when it runs."""

from mayfly.errors import PlatformError
from mayfly.services.functions import faults
from mayfly.services.functions.names import Home
from mayfly.services.ports import Roles

CANNOT_ASSUME = "The role defined for the function cannot be assumed by Lambda."
_SERVICE = "lambda.amazonaws.com"


class RoleUnusableError(PlatformError):
    """The role of a function is gone, or trusts it no more: no instance can be given credentials."""

    def __init__(self, role_arn: str) -> None:
        super().__init__(f"{CANNOT_ASSUME} ({role_arn})")
        self.role_arn = role_arn


class RoleCheck:
    """Asks identity."""

    def __init__(self, roles: Roles, home: Home) -> None:
        self._roles = roles
        self._home = home

    async def check(self, role_arn: str) -> None:
        """`ServiceError` unless the role is of this account, exists, and trusts functions."""
        parts = role_arn.split(":")
        if len(parts) > 4 and parts[4] != self._home.account:
            raise faults.access_denied("Cross-account pass role is not allowed.")
        if not (await self._roles.exists(role_arn) and await self._roles.trusts(role_arn, _SERVICE)):
            raise faults.invalid_parameter(CANNOT_ASSUME)
