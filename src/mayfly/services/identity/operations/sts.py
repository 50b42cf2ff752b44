"""STS: who the caller is, and credentials of roles."""

from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock
from mayfly.services.contract import Principal, RequestContext, operation
from mayfly.services.identity.faults import access_denied, unsupported, validation
from mayfly.services.identity.model import Role, session_arn
from mayfly.services.identity.policy_documents import parse_trust_policy
from mayfly.services.identity.records import find_role, role_of_arn
from mayfly.services.identity.sessions import issue
from mayfly.services.identity.trust import ASSUME_ROLE, Caller, trusts
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_sts.type_defs import AssumeRoleRequestTypeDef

_DEFAULT_DURATION_S = 3600
_CHAINED_LIMIT_S = 3600
_UNSUPPORTED = {
    "Policy": "session policies are not evaluated yet, so the session would not be narrowed",
    "PolicyArns": "session policies are not evaluated yet, so the session would not be narrowed",
    "Tags": "session tags are not kept",
    "TransitiveTagKeys": "session tags are not kept",
    "SerialNumber": "there are no MFA devices",
    "TokenCode": "there are no MFA devices",
    "ProvidedContexts": "there are no context providers",
}


class StsOperations:
    def __init__(self, store: Store, clock: Clock, server_key: bytes) -> None:
        self._store = store
        self._clock = clock
        self._server_key = server_key

    @operation("GetCallerIdentity")
    async def get_caller_identity(self, context: RequestContext, params: Any) -> dict[str, Any]:
        who = context.principal
        return {"UserId": who.user_id, "Account": who.account, "Arn": who.arn}

    @operation("AssumeRole")
    async def assume_role(self, context: RequestContext, params: "AssumeRoleRequestTypeDef") -> dict[str, Any]:
        for name, reason in _UNSUPPORTED.items():
            if name in params:
                raise unsupported(name, reason)
        who, name = context.principal, params["RoleSessionName"]

        def read(reader: Reader) -> tuple[Role | None, Caller]:
            return role_of_arn(reader, context.account, params["RoleArn"]), _caller(reader, who)

        role, caller = await self._store.read(read)
        # A role that does not exist and one that does not trust the caller look the same to the caller.
        if role is None or not trusts(parse_trust_policy(role.trust_policy), caller, _conditions(who, params)):
            raise access_denied(who.arn, ASSUME_ROLE, params["RoleArn"])
        chained = who.kind == "assumed-role"
        duration_s = params.get("DurationSeconds", _DEFAULT_DURATION_S)
        _check_duration(duration_s, role, chained=chained)
        expires_at = int(self._clock.now()) + duration_s
        credentials = issue(self._server_key, role, name, expires_at, chained=chained)
        reply: dict[str, Any] = {
            "Credentials": {
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key,
                "SessionToken": credentials.session_token,
                "Expiration": credentials.expiration,
            },
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role.id}:{name}",
                "Arn": session_arn(role.account, role.name, name),
            },
        }
        return reply | ({"SourceIdentity": params["SourceIdentity"]} if "SourceIdentity" in params else {})


def _caller(reader: Reader, who: Principal) -> Caller:
    """`who` by every name that a trust policy may use: a session of a role is also the role."""
    arns = [who.arn]
    if who.kind == "assumed-role":
        role = find_role(reader, who.account, who.arn.split("/")[1])
        if role is not None:
            arns.append(role.arn)
    return Caller(who.account, tuple(arns), delegated=who.kind in ("root", "assumed-role"))


def _conditions(who: Principal, params: "AssumeRoleRequestTypeDef") -> dict[str, str]:
    """The condition keys of this request."""
    keys = {
        "aws:PrincipalAccount": who.account,
        "aws:PrincipalArn": who.arn,
        "aws:userid": who.user_id,
        "sts:RoleSessionName": params["RoleSessionName"],
    }
    optional = {"sts:ExternalId": params.get("ExternalId"), "sts:SourceIdentity": params.get("SourceIdentity")}
    return keys | {key: value for key, value in optional.items() if value is not None}


def _check_duration(duration_s: int, role: Role, *, chained: bool) -> None:
    if duration_s > role.max_session_s:
        raise validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if chained and duration_s > _CHAINED_LIMIT_S:
        raise validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
