"""Operations on customer managed policies; those of AWS are known by their ARN alone."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.identity import statements
from mayfly.services.identity.faults import quota_exceeded
from mayfly.services.identity.model import POLICY_ID_PREFIX, Policy, folded, new_unique_id
from mayfly.services.identity.operations.roles import without_white_space
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.policy_documents import check_permissions_policy
from mayfly.services.identity.records import policy_of_arn, put_tags, tags_of
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreatePolicyRequestTypeDef,
        DeletePolicyRequestTypeDef,
        GetPolicyRequestTypeDef,
        ListPoliciesRequestTypeDef,
    )

_SIZE_LIMIT = 6144  # characters, white space aside


class PolicyOperations:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreatePolicy")
    async def create(self, context: RequestContext, params: "CreatePolicyRequestTypeDef") -> dict[str, Any]:
        check_managed(params["PolicyDocument"])
        policy = Policy(
            context.account,
            params["PolicyName"],
            params.get("Path", "/"),
            new_unique_id(POLICY_ID_PREFIX),
            params.get("Description", ""),
            params["PolicyDocument"],
            now := self._clock.now(),
            default_version=1,
            last_version=1,
            updated_at=now,
            attachments=0,
        )
        tags = params.get("Tags", ())

        def insert(tx: Tx) -> None:
            row = msgspec.structs.asdict(policy) | {"folded": folded(policy.name), "arn": policy.arn}
            del row["attachments"]
            if not tx.run(statements.POLICY_INSERT, row):
                raise ServiceError(
                    "EntityAlreadyExists",
                    f"A policy called {policy.name} already exists. Duplicate names are not allowed.",
                    status=409,
                )
            tx.run(statements.VERSION_INSERT, {"policy_id": policy.id, "version": 1, "document": policy.document,
                                               "created_at": policy.created_at})  # fmt: skip
            put_tags(tx, policy.id, tags)

        await self._store.write(insert)
        return {"Policy": _shape(policy) | ({"Tags": list(tags)} if tags else {})}

    @operation("GetPolicy")
    async def get(self, context: RequestContext, params: "GetPolicyRequestTypeDef") -> dict[str, Any]:
        def read(reader: Reader) -> dict[str, Any]:
            policy = policy_of_arn(reader, params["PolicyArn"])
            description = {"Description": policy.description} if policy.description else {}
            return _shape(policy) | description | {"Tags": tags_of(reader, policy.id)}

        return {"Policy": await self._store.read(read)}

    @operation("ListPolicies")
    async def list(self, context: RequestContext, params: "ListPoliciesRequestTypeDef") -> dict[str, Any]:
        page = page_request(params)
        if params.get("Scope") == "AWS" or params.get("PolicyUsageFilter") == "PermissionsBoundary":
            return {"Policies": [], "IsTruncated": False}
        prefix = params.get("PathPrefix", "/")
        rows = await self._store.read(
            lambda reader: reader.all(
                statements.POLICIES_PAGE,
                {
                    "account": context.account,
                    "after": page.after,
                    "prefix": prefix,
                    "prefix_length": len(prefix),
                    "attached": int(params.get("OnlyAttached", False)),
                    "limit": page.limit + 1,
                },
            )
        )
        found = [Policy(*row) for row in rows]
        return page_reply("Policies", found, page.limit, lambda policy: folded(policy.name), _shape)

    @operation("DeletePolicy")
    async def delete(self, context: RequestContext, params: "DeletePolicyRequestTypeDef") -> dict[str, Any]:
        def remove(tx: Tx) -> None:
            policy = policy_of_arn(tx, params["PolicyArn"])
            if policy.attachments:
                raise ServiceError("DeleteConflict", "Cannot delete a policy attached to entities.", status=409)
            if len(tx.all(statements.VERSIONS, {"policy_id": policy.id})) > 1:
                raise ServiceError(
                    "DeleteConflict",
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                    "versions. The default version is deleted with the policy.",
                    status=409,
                )
            tx.run(statements.VERSIONS_DELETE, {"policy_id": policy.id})
            tx.run(statements.TAGS_DELETE, {"owner_id": policy.id})
            tx.run(statements.POLICY_DELETE, {"id": policy.id})

        await self._store.write(remove)
        return {}


def check_managed(document: str) -> None:
    """`ServiceError` unless this may be a version of a managed policy."""
    if without_white_space(document) > _SIZE_LIMIT:
        raise quota_exceeded("PolicySize", _SIZE_LIMIT)
    check_permissions_policy(document)


def _shape(policy: Policy) -> dict[str, Any]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": policy.attachments,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": utc(policy.created_at),
        "UpdateDate": utc(policy.updated_at),
    }
