"""Operations on the policies of a role: inline ones, and attachments of managed ones."""

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.identity import statements
from mayfly.services.identity.faults import invalid_input, no_such, no_such_policy, quota_exceeded
from mayfly.services.identity.model import AWS_MANAGED_PREFIX
from mayfly.services.identity.operations.roles import without_white_space
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.policy_documents import check_permissions_policy
from mayfly.services.identity.records import policy_of_arn, role_named
from mayfly.store.api import Reader, Row, Store, Tx

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        AttachRolePolicyRequestTypeDef,
        DeleteRolePolicyRequestTypeDef,
        DetachRolePolicyRequestTypeDef,
        GetRolePolicyRequestTypeDef,
        ListAttachedRolePoliciesRequestTypeDef,
        ListRolePoliciesRequestTypeDef,
        PutRolePolicyRequestTypeDef,
    )

_INLINE_LIMIT = 10_240  # characters of all inline policies of a role, white space aside
_ATTACHMENT_LIMIT = 10
_POLICY_ARN = re.compile(r"arn:aws:iam::(aws|\d{12}):policy/([\w+=,.@-]+/)*[\w+=,.@-]+", re.ASCII)


class RolePolicyOperations:
    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("PutRolePolicy")
    async def put(self, context: RequestContext, params: "PutRolePolicyRequestTypeDef") -> dict[str, Any]:
        check_permissions_policy(params["PolicyDocument"])

        def write(tx: Tx) -> None:
            role = role_named(tx, context.account, params["RoleName"])
            name, document = params["PolicyName"], params["PolicyDocument"]
            tx.run(statements.ROLE_POLICY_PUT, {"role_id": role.id, "name": name, "document": document})
            # At most as many as fit the limit with one character each.
            page = {"role_id": role.id, "after": "", "limit": _INLINE_LIMIT}
            rows = tx.all(statements.ROLE_POLICIES_PAGE, page)
            if sum(without_white_space(text) for _, text in rows) > _INLINE_LIMIT:
                raise ServiceError(
                    "LimitExceeded",
                    f"Maximum policy size of {_INLINE_LIMIT} bytes exceeded for role {role.name}",
                    status=409,
                )

        await self._store.write(write)
        return {}

    @operation("GetRolePolicy")
    async def get(self, context: RequestContext, params: "GetRolePolicyRequestTypeDef") -> dict[str, Any]:
        def read(reader: Reader) -> Row:
            role = role_named(reader, context.account, params["RoleName"])
            row = reader.one(statements.ROLE_POLICY, {"role_id": role.id, "name": params["PolicyName"]})
            if row is None:
                raise no_such("role policy", params["PolicyName"])
            return row

        (document,) = await self._store.read(read)
        return {
            "RoleName": params["RoleName"],
            "PolicyName": params["PolicyName"],
            "PolicyDocument": quote(document, safe=""),
        }

    @operation("ListRolePolicies")
    async def list(self, context: RequestContext, params: "ListRolePoliciesRequestTypeDef") -> dict[str, Any]:
        page = page_request(params)

        def read(reader: Reader) -> list[str]:
            role = role_named(reader, context.account, params["RoleName"])
            bounds = {"role_id": role.id, "after": page.after, "limit": page.limit + 1}
            return [name for name, _ in reader.all(statements.ROLE_POLICIES_PAGE, bounds)]

        return page_reply("PolicyNames", await self._store.read(read), page.limit, str, str)

    @operation("DeleteRolePolicy")
    async def delete(self, context: RequestContext, params: "DeleteRolePolicyRequestTypeDef") -> dict[str, Any]:
        def write(tx: Tx) -> None:
            role = role_named(tx, context.account, params["RoleName"])
            if not tx.run(statements.ROLE_POLICY_DELETE, {"role_id": role.id, "name": params["PolicyName"]}):
                raise no_such("role policy", params["PolicyName"])

        await self._store.write(write)
        return {}

    @operation("AttachRolePolicy")
    async def attach(self, context: RequestContext, params: "AttachRolePolicyRequestTypeDef") -> dict[str, Any]:
        arn = checked_arn(params["PolicyArn"])

        def write(tx: Tx) -> None:
            role = role_named(tx, context.account, params["RoleName"])
            if not arn.startswith(AWS_MANAGED_PREFIX):  # those of AWS are taken by their form
                policy_of_arn(tx, arn)
            tx.run(statements.ATTACHMENT_INSERT, {"role_id": role.id, "policy_arn": arn})
            bounds = {"role_id": role.id, "after": "", "limit": _ATTACHMENT_LIMIT + 1}
            if len(tx.all(statements.ATTACHMENTS_PAGE, bounds)) > _ATTACHMENT_LIMIT:
                raise quota_exceeded("PoliciesPerRole", _ATTACHMENT_LIMIT)

        await self._store.write(write)
        return {}

    @operation("DetachRolePolicy")
    async def detach(self, context: RequestContext, params: "DetachRolePolicyRequestTypeDef") -> dict[str, Any]:
        arn = checked_arn(params["PolicyArn"])

        def write(tx: Tx) -> None:
            role = role_named(tx, context.account, params["RoleName"])
            if not tx.run(statements.ATTACHMENT_DELETE, {"role_id": role.id, "policy_arn": arn}):
                raise no_such_policy(arn)

        await self._store.write(write)
        return {}

    @operation("ListAttachedRolePolicies")
    async def attached(
        self, context: RequestContext, params: "ListAttachedRolePoliciesRequestTypeDef"
    ) -> dict[str, Any]:
        page = page_request(params)
        prefix = params.get("PathPrefix", "/")

        def read(reader: Reader) -> list[str]:
            role = role_named(reader, context.account, params["RoleName"])
            # All of them: a role has ten at most.
            bounds = {"role_id": role.id, "after": page.after, "limit": _ATTACHMENT_LIMIT}
            return [arn for (arn,) in reader.all(statements.ATTACHMENTS_PAGE, bounds)]

        arns = [arn for arn in await self._store.read(read) if arn.partition(":policy")[2].startswith(prefix)]
        return page_reply("AttachedPolicies", arns, page.limit, str, attached_policy)


def checked_arn(arn: str) -> str:
    if not _POLICY_ARN.fullmatch(arn):
        raise invalid_input(f"ARN {arn} is not valid.")
    return arn


def attached_policy(arn: str) -> dict[str, str]:
    return {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}
