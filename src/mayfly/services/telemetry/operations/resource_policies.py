"""Operations on resource policies of logs: which services may write to groups.

They are checked, kept and listed. Services of Mayfly write to groups that they were told to write to, with or without.
"""

import json
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, operation
from mayfly.services.telemetry import faults, tokens
from mayfly.services.telemetry import statements as sql
from mayfly.services.telemetry.model import PAGE_GROUPS
from mayfly.store.api import Row, Store, Tx

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DeleteResourcePolicyRequestTypeDef,
        DescribeResourcePoliciesRequestTypeDef,
        PutResourcePolicyRequestTypeDef,
    )

_MOST = 10
_MOST_CHARACTERS = 5120


class ResourcePolicyOperations:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("PutResourcePolicy")
    async def put(self, context: RequestContext, request: "PutResourcePolicyRequestTypeDef") -> dict[str, Any]:
        name, document = request.get("policyName"), request.get("policyDocument")
        if "resourceArn" in request:
            raise faults.invalid("Mayfly implements resource policies of the account, not of single resources")
        if not name or not document:
            raise faults.invalid("policyName and policyDocument must be given")
        _check(document)
        row = {"name": name, "document": document, "now": int(self._clock.now() * 1000)}

        def body(tx: Tx) -> None:
            tx.run(sql.PUT_POLICY, row)
            if len(tx.all(sql.LIST_POLICIES, {"after": "", "limit": _MOST + 1})) > _MOST:
                raise faults.limit_exceeded()

        await self._store.write(body)
        return {"resourcePolicy": _shape((name, document, row["now"]))}

    @operation("DescribeResourcePolicies")
    async def describe(
        self, context: RequestContext, request: "DescribeResourcePoliciesRequestTypeDef"
    ) -> dict[str, Any]:
        limit = request.get("limit", PAGE_GROUPS)
        after = tokens.decode(request["nextToken"], "r")[1][0] if "nextToken" in request else ""
        rows = await self._store.read(
            lambda reader: reader.all(sql.LIST_POLICIES, {"after": after, "limit": limit + 1})
        )
        reply: dict[str, Any] = {"resourcePolicies": [_shape(row) for row in rows[:limit]]}
        if len(rows) > limit:
            reply["nextToken"] = tokens.encode("r", rows[limit - 1][0])
        return reply

    @operation("DeleteResourcePolicy")
    async def delete(self, context: RequestContext, request: "DeleteResourcePolicyRequestTypeDef") -> dict[str, Any]:
        name = request.get("policyName", "")

        def body(tx: Tx) -> None:
            if not tx.run(sql.DELETE_POLICY, {"name": name}):
                raise faults.policy_missing(name)

        await self._store.write(body)
        return {}


def _check(document: str) -> None:
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "Statement" not in found:
        raise faults.invalid("The policy document is not a JSON object with a Statement")
    if len(document) > _MOST_CHARACTERS:
        raise faults.invalid(f"A policy document has at most {_MOST_CHARACTERS} characters")


def _shape(row: Row) -> dict[str, Any]:
    return {"policyName": row[0], "policyDocument": row[1], "lastUpdatedTime": row[2]}
