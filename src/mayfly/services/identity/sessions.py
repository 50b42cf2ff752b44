"""Making temporary credentials of roles: what `sts:AssumeRole` and `ports.Roles` have in common."""

from mayfly.clock import Clock, utc
from mayfly.services.contract import ServiceError
from mayfly.services.identity.model import Role
from mayfly.services.identity.policy_documents import parse_trust_policy
from mayfly.services.identity.records import role_of_arn
from mayfly.services.identity.root_key import new_access_key_id
from mayfly.services.identity.tokens import Session, seal, session_secret
from mayfly.services.identity.trust import Caller, trusts
from mayfly.services.ports import Credentials
from mayfly.store.api import Store

_MOST_ROLES = 4096  # that are kept


def issue(key: bytes, role: Role, name: str, expires_at: int, *, chained: bool = False) -> Credentials:
    """Credentials of session `name` of `role`, good until `expires_at` (Unix seconds)."""
    access_key_id = new_access_key_id("ASIA")
    token = seal(key, Session(access_key_id, role.account, role.id, role.name, name, expires_at, chained))
    return Credentials(access_key_id, session_secret(key, token), token, utc(expires_at))


class RoleSessions:
    """`ports.Roles`: what the platform's own services need of roles.

    Every start of an instance needs credentials, and to look their role up in the store was a tenth of the time of a
    start from a spare. So roles that were found are kept, up to a bound, until `forget`; one whose look-up overlaps a
    deletion is not.
    """

    def __init__(self, store: Store, clock: Clock, server_key: bytes, account: str) -> None:
        self._store = store
        self._clock = clock
        self._server_key = server_key
        self._account = account
        self._roles: dict[str, Role] = {}  # by ARN; good for what a role never changes: account, id and name
        self._generation = 0

    def forget(self) -> None:
        """Drop what is kept: a role was deleted."""
        self._generation += 1
        self._roles.clear()

    async def exists(self, role_arn: str) -> bool:
        return await self._find(role_arn) is not None

    async def trusts(self, role_arn: str, service: str) -> bool:
        """Whether `service` may assume the role; no for a role that does not exist."""
        role = await self._find(role_arn)
        if role is None:
            return False
        context = {"aws:SourceAccount": self._account}
        return trusts(parse_trust_policy(role.trust_policy), Caller(self._account, service=service), context)

    async def credentials(self, role_arn: str, session_name: str, duration_s: int) -> Credentials:
        """Credentials for a platform service, which has asked `trusts` before; `ServiceError` NoSuchEntity."""
        role = self._roles.get(role_arn)
        if role is None:
            generation = self._generation
            role = await self._find(role_arn)
            if role is None:
                raise ServiceError("NoSuchEntity", f"The role {role_arn} cannot be found.", status=404)
            if generation == self._generation:
                self._keep(role_arn, role)
        return issue(self._server_key, role, session_name, int(self._clock.now()) + duration_s)

    def _keep(self, role_arn: str, role: Role) -> None:
        if len(self._roles) >= _MOST_ROLES:
            self._roles.clear()
        self._roles[role_arn] = role

    async def _find(self, role_arn: str) -> Role | None:
        return await self._store.read(lambda reader: role_of_arn(reader, self._account, role_arn))
