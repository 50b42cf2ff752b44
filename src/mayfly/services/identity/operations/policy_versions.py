"""Operations on the versions of customer managed policies: five at most, of which one is the default."""

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.identity import statements
from mayfly.services.identity.faults import no_such_version
from mayfly.services.identity.model import Policy
from mayfly.services.identity.operations.policies import check_managed
from mayfly.services.identity.pages import page_reply, page_request
from mayfly.services.identity.records import policy_of_arn
from mayfly.store.api import Reader, Row, Store, Tx

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreatePolicyVersionRequestTypeDef,
        DeletePolicyVersionRequestTypeDef,
        GetPolicyVersionRequestTypeDef,
        ListPolicyVersionsRequestTypeDef,
        SetDefaultPolicyVersionRequestTypeDef,
    )

_MOST = 5


class PolicyVersionOperations:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreatePolicyVersion")
    async def create(self, context: RequestContext, params: "CreatePolicyVersionRequestTypeDef") -> dict[str, Any]:
        document, now = params["PolicyDocument"], self._clock.now()
        default = params.get("SetAsDefault", False)
        check_managed(document)

        def write(tx: Tx) -> int:
            policy = policy_of_arn(tx, params["PolicyArn"])
            if len(tx.all(statements.VERSIONS, {"policy_id": policy.id})) >= _MOST:
                raise ServiceError(
                    "LimitExceeded",
                    f"A managed policy can have up to {_MOST} versions. Before you create a new version, you must "
                    "delete an existing version.",
                    status=409,
                )
            version = policy.last_version + 1
            row = {"policy_id": policy.id, "version": version, "document": document, "created_at": now}
            tx.run(statements.VERSION_INSERT, row)
            tx.run(
                statements.POLICY_UPDATE,
                {
                    "id": policy.id,
                    "document": document if default else policy.document,
                    "default_version": version if default else policy.default_version,
                    "last_version": version,
                    "updated_at": now,
                },
            )
            return version

        version = await self._store.write(write)
        return {"PolicyVersion": {"VersionId": f"v{version}", "IsDefaultVersion": default, "CreateDate": utc(now)}}

    @operation("GetPolicyVersion")
    async def get(self, context: RequestContext, params: "GetPolicyVersionRequestTypeDef") -> dict[str, Any]:
        def read(reader: Reader) -> tuple[Policy, Row]:
            policy = policy_of_arn(reader, params["PolicyArn"])
            return policy, _version(reader, policy, params["VersionId"])

        policy, row = await self._store.read(read)
        return {"PolicyVersion": _shape(policy, row) | {"Document": quote(row[1], safe="")}}

    @operation("ListPolicyVersions")
    async def list(self, context: RequestContext, params: "ListPolicyVersionsRequestTypeDef") -> dict[str, Any]:
        """Newest first."""
        page = page_request(params)

        def read(reader: Reader) -> tuple[Policy, list[Row]]:
            policy = policy_of_arn(reader, params["PolicyArn"])
            return policy, reader.all(statements.VERSIONS, {"policy_id": policy.id})

        policy, rows = await self._store.read(read)
        if page.after:
            rows = [row for row in rows if row[0] < int(page.after)]
        return page_reply("Versions", rows, page.limit, lambda row: str(row[0]), lambda row: _shape(policy, row))

    @operation("SetDefaultPolicyVersion")
    async def set_default(
        self, context: RequestContext, params: "SetDefaultPolicyVersionRequestTypeDef"
    ) -> dict[str, Any]:
        now = self._clock.now()

        def write(tx: Tx) -> None:
            policy = policy_of_arn(tx, params["PolicyArn"])
            version, document, _ = _version(tx, policy, params["VersionId"])
            tx.run(
                statements.POLICY_UPDATE,
                {
                    "id": policy.id,
                    "document": document,
                    "default_version": version,
                    "last_version": policy.last_version,
                    "updated_at": now,
                },
            )

        await self._store.write(write)
        return {}

    @operation("DeletePolicyVersion")
    async def delete(self, context: RequestContext, params: "DeletePolicyVersionRequestTypeDef") -> dict[str, Any]:
        def write(tx: Tx) -> None:
            policy = policy_of_arn(tx, params["PolicyArn"])
            version, _, _ = _version(tx, policy, params["VersionId"])
            if version == policy.default_version:
                raise ServiceError("DeleteConflict", "Cannot delete the default version of a policy.", status=409)
            tx.run(statements.VERSION_DELETE, {"policy_id": policy.id, "version": version})

        await self._store.write(write)
        return {}


def _version(reader: Reader, policy: Policy, id_: str) -> Row:
    """Number, document and time of a version; `ServiceError` NoSuchEntity."""
    number = re.fullmatch(r"v(\d{1,9})", id_)
    row = None
    if number is not None:
        row = reader.one(statements.VERSION, {"policy_id": policy.id, "version": int(number[1])})
    if row is None:
        raise no_such_version(policy.arn, id_)
    return row


def _shape(policy: Policy, row: Row) -> dict[str, Any]:
    default = row[0] == policy.default_version
    return {"VersionId": f"v{row[0]}", "IsDefaultVersion": default, "CreateDate": utc(row[2])}
