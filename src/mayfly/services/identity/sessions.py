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


def issue(key: bytes, role: Role, name: str, expires_at: int, *, chained: bool = False) -> Credentials:
    """Credentials of session `name` of `role`, good until `expires_at` (Unix seconds)."""
    access_key_id = new_access_key_id("ASIA")
    token = seal(key, Session(access_key_id, role.account, role.id, role.name, name, expires_at, chained))
    return Credentials(access_key_id, session_secret(key, token), token, utc(expires_at))


class RoleSessions:
    """`ports.Roles`: what the platform's own services need of roles."""

    def __init__(self, store: Store, clock: Clock, server_key: bytes, account: str) -> None:
        self._store = store
        self._clock = clock
        self._server_key = server_key
        self._account = account

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
        role = await self._find(role_arn)
        if role is None:
            raise ServiceError("NoSuchEntity", f"The role {role_arn} cannot be found.", status=404)
        return issue(self._server_key, role, session_name, int(self._clock.now()) + duration_s)

    async def _find(self, role_arn: str) -> Role | None:
        return await self._store.read(lambda reader: role_of_arn(reader, self._account, role_arn))
