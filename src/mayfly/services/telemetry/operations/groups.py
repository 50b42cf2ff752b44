"""Operations on log groups: their lives, retention and tags."""

import json
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, operation
from mayfly.services.telemetry import faults, tokens
from mayfly.services.telemetry import statements as sql
from mayfly.services.telemetry.book import Book, find_group, prefix_range
from mayfly.services.telemetry.model import GROUP_NAME, PAGE_GROUPS, RETENTION_DAYS, Group
from mayfly.services.telemetry.operations.naming import existing_group, group_arn, group_name_of
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        CreateLogGroupRequestTypeDef,
        DeleteLogGroupRequestTypeDef,
        DeleteRetentionPolicyRequestTypeDef,
        DescribeLogGroupsRequestTypeDef,
        ListTagsForResourceRequestTypeDef,
        LogGroupTypeDef,
        PutRetentionPolicyRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )


class GroupOperations:
    """Log groups."""

    def __init__(self, store: Store, book: Book) -> None:
        self._store = store
        self._book = book

    @operation("CreateLogGroup")
    async def create(self, context: RequestContext, request: "CreateLogGroupRequestTypeDef") -> dict[str, Any]:
        name = request["logGroupName"]
        if not GROUP_NAME.fullmatch(name):
            raise faults.invalid(
                f"1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
            )
        if request.get("kmsKeyId") or request.get("logGroupClass", "STANDARD") != "STANDARD":
            raise faults.invalid("Mayfly implements log groups of class STANDARD without a KMS key")
        if request.get("deletionProtectionEnabled"):
            raise faults.invalid("Mayfly does not implement deletion protection of log groups")
        tags = json.dumps(dict(request.get("tags", {})))
        await self._book.settle()

        def body(tx: Tx) -> None:
            if find_group(tx, name):
                raise faults.group_exists()
            self._book.make_group(tx, name, tags)

        await self._store.write(body)
        return {}

    @operation("DeleteLogGroup")
    async def delete(self, context: RequestContext, request: "DeleteLogGroupRequestTypeDef") -> dict[str, Any]:
        await self._book.settle()

        def body(tx: Tx) -> None:
            group = existing_group(tx, request["logGroupName"])
            for statement in sql.DELETE_WITH_GROUP:
                tx.run(statement, {"id": group.id})
            self._book.filters.changed(tx, group.id)

        await self._store.write(body)
        return {}

    @operation("DescribeLogGroups")
    async def describe(self, context: RequestContext, request: "DescribeLogGroupsRequestTypeDef") -> dict[str, Any]:
        if request.get("logGroupNamePrefix") and request.get("logGroupNamePattern"):
            raise faults.invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        await self._book.settle()
        limit = request.get("limit", PAGE_GROUPS)
        after = tokens.decode(request["nextToken"], "g")[1][0] if "nextToken" in request else ""
        pattern = request.get("logGroupNamePattern", "").lower()
        chosen = {group_name_of(name) for name in request.get("logGroupIdentifiers", [])}

        def body(reader: Reader) -> list[tuple[Group, int]]:
            found: list[Group] = []
            last = after
            while len(found) <= limit:
                parameters = {**prefix_range(request.get("logGroupNamePrefix", "")), "after": last, "limit": 500}
                rows = [Group(*row) for row in reader.all(sql.LIST_GROUPS, parameters)]
                found += [g for g in rows if pattern in g.name.lower() and (not chosen or g.name in chosen)]
                if len(rows) < 500:
                    break
                last = rows[-1].name
            return [(group, _metric_filters(reader, group)) for group in found[: limit + 1]]

        groups = await self._store.read(body)
        reply: dict[str, Any] = {"logGroups": [_described(context, *found) for found in groups[:limit]]}
        if len(groups) > limit:
            reply["nextToken"] = tokens.encode("g", groups[limit - 1][0].name)
        return reply

    @operation("PutRetentionPolicy")
    async def put_retention(
        self, context: RequestContext, request: "PutRetentionPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        days = request["retentionInDays"]
        if days not in RETENTION_DAYS:
            raise faults.invalid(f"retentionInDays must be one of {sorted(RETENTION_DAYS)}, not {days}")
        return await self._set_retention(request["logGroupName"], days)

    @operation("DeleteRetentionPolicy")
    async def delete_retention(
        self, context: RequestContext, request: "DeleteRetentionPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._set_retention(request["logGroupName"], None)

    @operation("ListTagsForResource")
    async def list_tags(self, context: RequestContext, request: "ListTagsForResourceRequestTypeDef") -> dict[str, Any]:
        name = group_name_of(request["resourceArn"])
        group = await self._store.read(lambda reader: existing_group(reader, name))
        return {"tags": json.loads(group.tags)}

    @operation("TagResource")
    async def tag(self, context: RequestContext, request: "TagResourceRequestTypeDef") -> dict[str, Any]:
        return await self._change_tags(request["resourceArn"], dict(request["tags"]), ())

    @operation("UntagResource")
    async def untag(self, context: RequestContext, request: "UntagResourceRequestTypeDef") -> dict[str, Any]:
        return await self._change_tags(request["resourceArn"], {}, tuple(request["tagKeys"]))

    async def _set_retention(self, name: str, days: int | None) -> dict[str, Any]:
        await self._book.settle()
        await self._store.write(lambda tx: tx.run(sql.SET_RETENTION, {"id": existing_group(tx, name).id, "days": days}))
        return {}

    async def _change_tags(self, arn: str, added: dict[str, str], removed: tuple[str, ...]) -> dict[str, Any]:
        name = group_name_of(arn)

        def body(tx: Tx) -> None:
            group = existing_group(tx, name)
            tags = {**json.loads(group.tags), **added}
            kept = {key: value for key, value in tags.items() if key not in removed}
            if len(kept) > 50:
                raise faults.invalid("A log group can have at most 50 tags")
            tx.run(sql.SET_TAGS, {"id": group.id, "tags": json.dumps(kept)})

        await self._store.write(body)
        return {}


def _metric_filters(reader: Reader, group: Group) -> int:
    row = reader.one(sql.COUNT_METRIC_FILTERS, {"group": group.id})
    return 0 if row is None else int(row[0])


def _described(context: RequestContext, group: Group, metric_filters: int) -> "LogGroupTypeDef":
    arn = group_arn(context, group.name)
    described: LogGroupTypeDef = {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": metric_filters,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": group.stored_bytes,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": False,
    }
    if group.retention_days is not None:
        described["retentionInDays"] = group.retention_days
    return described
