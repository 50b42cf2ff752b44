"""What IAM says of an account as a whole, and of whom a policy is attached to."""

from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.identity import statements
from mayfly.services.identity.model import AWS_MANAGED_PREFIX
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.records import policy_of_arn
from mayfly.store.api import Reader, Row, Store

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import ListAccountAliasesRequestTypeDef, ListEntitiesForPolicyRequestTypeDef

# IAM's quotas, as far as they are kept to here, and what there can be none of.
_QUOTAS = {
    "AccessKeysPerUserQuota": 2,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "GroupPolicySizeQuota": 5120,
    "GroupsPerUserQuota": 10,
    "PolicySizeQuota": 6144,
    "UserPolicySizeQuota": 2048,
    "VersionsPerPolicyQuota": 5,
}
_NONE = ("AccountMFAEnabled", "AccountSigningCertificatesPresent", "MFADevices", "MFADevicesInUse", "Providers",
         "ServerCertificates")  # fmt: skip
_KINDS = (
    ("Group", "PolicyGroups", statements.ATTACHED_GROUPS),
    ("Role", "PolicyRoles", statements.ATTACHED_ROLES),
    ("User", "PolicyUsers", statements.ATTACHED_USERS),
)


class AccountOperations:
    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("GetAccountSummary")
    async def summary(self, context: RequestContext, params: Any) -> dict[str, Any]:
        def read(reader: Reader) -> Row | None:
            return reader.one(statements.COUNTS, {"account": context.account})

        counts = await self._store.read(read) or (0,) * 6
        names = ("Users", "Groups", "Roles", "Policies", "InstanceProfiles", "PolicyVersionsInUse")
        found = dict(zip(names, counts, strict=True))
        return {"SummaryMap": {**_QUOTAS, **dict.fromkeys(_NONE, 0), "AccountAccessKeysPresent": 1, **found}}

    @operation("ListAccountAliases")
    async def aliases(self, context: RequestContext, params: "ListAccountAliasesRequestTypeDef") -> dict[str, Any]:
        """None: an alias is part of the address of AWS's console."""
        return {"AccountAliases": [], "IsTruncated": False}

    @operation("ListEntitiesForPolicy")
    async def attached_to(
        self, context: RequestContext, params: "ListEntitiesForPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        page, prefix, arn = page_request(params), params.get("PathPrefix", "/"), params["PolicyArn"]
        wanted = params.get("EntityFilter")
        nobody = params.get("PolicyUsageFilter") == "PermissionsBoundary" or wanted in (
            "LocalManagedPolicy",
            "AWSManagedPolicy",
        )

        def read(reader: Reader) -> list[tuple[str, str, str, str]]:
            if not arn.startswith(AWS_MANAGED_PREFIX):
                policy_of_arn(reader, arn)
            place = {"policy_arn": arn, "prefix": prefix, "prefix_length": len(prefix)}
            return [
                (f"{kind} {folded}", kind, name, id_)
                for kind, _, statement in _KINDS
                if not nobody and wanted in (None, kind)
                for folded, name, id_ in reader.all(statement, place)
            ]

        found = [row for row in await self._store.read(read) if row[0] > page.after][: page.limit + 1]
        reply = page_reply("Entities", found, page.limit, lambda row: row[0], lambda row: row)
        shown = reply.pop("Entities")
        for kind, member, _ in _KINDS:
            reply[member] = [{f"{kind}Name": row[2], f"{kind}Id": row[3]} for row in shown if row[1] == kind]
        return reply
