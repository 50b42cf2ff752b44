"""Operations on the policies of users and groups: inline ones, and attachments of managed ones.

They are checked, kept and listed; no decision is taken by them, since the keys of users may do next to nothing
(`identity.access`). Roles have their own tables and operations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.identity import statements
from mayfly.services.identity.faults import delete_conflict, no_such, no_such_policy, quota_exceeded
from mayfly.services.identity.model import AWS_MANAGED_PREFIX, Group, User
from mayfly.services.identity.operations.role_policies import attached_policy, checked_arn
from mayfly.services.identity.operations.roles import without_white_space
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.policy_documents import check_permissions_policy
from mayfly.services.identity.records import group_named, policy_of_arn, user_named
from mayfly.store.api import Reader, Row, Store, Tx

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as iam

_ATTACHMENT_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Owner:
    """A kind of thing that has policies."""

    word: Literal["user", "group"]
    member: Literal["UserName", "GroupName"]  # of requests
    find: Callable[[Reader, str, str], User | Group]
    inline_limit: int  # characters of all inline policies, white space aside
    quota: str  # of attachments


USER = Owner("user", "UserName", user_named, 2048, "PoliciesPerUser")
GROUP = Owner("group", "GroupName", group_named, 5120, "PoliciesPerGroup")


def check_released(reader: Reader, owner_id: str) -> None:
    """`ServiceError` DeleteConflict while a user or group has policies."""
    page = {"owner_id": owner_id, "after": "", "limit": 1}
    if reader.all(statements.OWNED_POLICIES_PAGE, page):
        raise delete_conflict("delete policies")
    if reader.all(statements.OWNED_ATTACHMENTS_PAGE, page):
        raise delete_conflict("detach all policies")


class OwnedPolicyOperations:
    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("PutUserPolicy")
    async def put_user(self, context: RequestContext, params: "iam.PutUserPolicyRequestTypeDef") -> dict[str, Any]:
        return await self._put(USER, context, params)

    @operation("PutGroupPolicy")
    async def put_group(self, context: RequestContext, params: "iam.PutGroupPolicyRequestTypeDef") -> dict[str, Any]:
        return await self._put(GROUP, context, params)

    @operation("GetUserPolicy")
    async def get_user(self, context: RequestContext, params: "iam.GetUserPolicyRequestTypeDef") -> dict[str, Any]:
        return await self._get(USER, context, params)

    @operation("GetGroupPolicy")
    async def get_group(self, context: RequestContext, params: "iam.GetGroupPolicyRequestTypeDef") -> dict[str, Any]:
        return await self._get(GROUP, context, params)

    @operation("ListUserPolicies")
    async def list_user(self, context: RequestContext, params: "iam.ListUserPoliciesRequestTypeDef") -> dict[str, Any]:
        return await self._list(USER, context, params)

    @operation("ListGroupPolicies")
    async def list_group(
        self, context: RequestContext, params: "iam.ListGroupPoliciesRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._list(GROUP, context, params)

    @operation("DeleteUserPolicy")
    async def delete_user(
        self, context: RequestContext, params: "iam.DeleteUserPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._delete(USER, context, params)

    @operation("DeleteGroupPolicy")
    async def delete_group(
        self, context: RequestContext, params: "iam.DeleteGroupPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._delete(GROUP, context, params)

    @operation("AttachUserPolicy")
    async def attach_user(
        self, context: RequestContext, params: "iam.AttachUserPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._attach(USER, context, params)

    @operation("AttachGroupPolicy")
    async def attach_group(
        self, context: RequestContext, params: "iam.AttachGroupPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._attach(GROUP, context, params)

    @operation("DetachUserPolicy")
    async def detach_user(
        self, context: RequestContext, params: "iam.DetachUserPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._detach(USER, context, params)

    @operation("DetachGroupPolicy")
    async def detach_group(
        self, context: RequestContext, params: "iam.DetachGroupPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._detach(GROUP, context, params)

    @operation("ListAttachedUserPolicies")
    async def attached_user(
        self, context: RequestContext, params: "iam.ListAttachedUserPoliciesRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._attached(USER, context, params)

    @operation("ListAttachedGroupPolicies")
    async def attached_group(
        self, context: RequestContext, params: "iam.ListAttachedGroupPoliciesRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._attached(GROUP, context, params)

    async def _put(self, kind: Owner, context: RequestContext, params: Any) -> dict[str, Any]:
        check_permissions_policy(params["PolicyDocument"])

        def write(tx: Tx) -> None:
            owner = kind.find(tx, context.account, params[kind.member])
            name, document = params["PolicyName"], params["PolicyDocument"]
            tx.run(statements.OWNED_POLICY_PUT, {"owner_id": owner.id, "name": name, "document": document})
            page = {"owner_id": owner.id, "after": "", "limit": kind.inline_limit}
            rows = tx.all(statements.OWNED_POLICIES_PAGE, page)
            if sum(without_white_space(text) for _, text in rows) > kind.inline_limit:
                raise ServiceError(
                    "LimitExceeded",
                    f"Maximum policy size of {kind.inline_limit} bytes exceeded for {kind.word} {owner.name}",
                    status=409,
                )

        await self._store.write(write)
        return {}

    async def _get(self, kind: Owner, context: RequestContext, params: Any) -> dict[str, Any]:
        def read(reader: Reader) -> Row:
            owner = kind.find(reader, context.account, params[kind.member])
            row = reader.one(statements.OWNED_POLICY, {"owner_id": owner.id, "name": params["PolicyName"]})
            if row is None:
                raise no_such(f"{kind.word} policy", params["PolicyName"])
            return row

        (document,) = await self._store.read(read)
        said = {kind.member: params[kind.member], "PolicyName": params["PolicyName"]}
        return {**said, "PolicyDocument": quote(document, safe="")}

    async def _list(self, kind: Owner, context: RequestContext, params: Any) -> dict[str, Any]:
        page = page_request(params)

        def read(reader: Reader) -> list[str]:
            owner = kind.find(reader, context.account, params[kind.member])
            bounds = {"owner_id": owner.id, "after": page.after, "limit": page.limit + 1}
            return [name for name, _ in reader.all(statements.OWNED_POLICIES_PAGE, bounds)]

        return page_reply("PolicyNames", await self._store.read(read), page.limit, str, str)

    async def _delete(self, kind: Owner, context: RequestContext, params: Any) -> dict[str, Any]:
        def write(tx: Tx) -> None:
            owner = kind.find(tx, context.account, params[kind.member])
            if not tx.run(statements.OWNED_POLICY_DELETE, {"owner_id": owner.id, "name": params["PolicyName"]}):
                raise no_such(f"{kind.word} policy", params["PolicyName"])

        await self._store.write(write)
        return {}

    async def _attach(self, kind: Owner, context: RequestContext, params: Any) -> dict[str, Any]:
        arn = checked_arn(params["PolicyArn"])

        def write(tx: Tx) -> None:
            owner = kind.find(tx, context.account, params[kind.member])
            if not arn.startswith(AWS_MANAGED_PREFIX):  # those of AWS are taken by their form
                policy_of_arn(tx, arn)
            tx.run(statements.OWNED_ATTACHMENT_INSERT, {"owner_id": owner.id, "policy_arn": arn})
            bounds = {"owner_id": owner.id, "after": "", "limit": _ATTACHMENT_LIMIT + 1}
            if len(tx.all(statements.OWNED_ATTACHMENTS_PAGE, bounds)) > _ATTACHMENT_LIMIT:
                raise quota_exceeded(kind.quota, _ATTACHMENT_LIMIT)

        await self._store.write(write)
        return {}

    async def _detach(self, kind: Owner, context: RequestContext, params: Any) -> dict[str, Any]:
        arn = checked_arn(params["PolicyArn"])

        def write(tx: Tx) -> None:
            owner = kind.find(tx, context.account, params[kind.member])
            if not tx.run(statements.OWNED_ATTACHMENT_DELETE, {"owner_id": owner.id, "policy_arn": arn}):
                raise no_such_policy(arn)

        await self._store.write(write)
        return {}

    async def _attached(self, kind: Owner, context: RequestContext, params: Any) -> dict[str, Any]:
        page = page_request(params)
        prefix = params.get("PathPrefix", "/")

        def read(reader: Reader) -> list[str]:
            owner = kind.find(reader, context.account, params[kind.member])
            # All of them: nobody has more than ten.
            bounds = {"owner_id": owner.id, "after": page.after, "limit": _ATTACHMENT_LIMIT}
            return [arn for (arn,) in reader.all(statements.OWNED_ATTACHMENTS_PAGE, bounds)]

        arns = [arn for arn in await self._store.read(read) if arn.partition(":policy")[2].startswith(prefix)]
        return page_reply("AttachedPolicies", arns, page.limit, str, attached_policy)
