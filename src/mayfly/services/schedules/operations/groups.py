"""Operations on schedule groups."""

import json
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock, utc
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.schedules import catalog, faults, tokens
from mayfly.services.schedules import statements as sql
from mayfly.services.schedules.model import DEFAULT_GROUP, MAX_GROUPS, Group
from mayfly.services.schedules.names import Home
from mayfly.services.schedules.operations.tags import tags_from
from mayfly.services.schedules.removal import Removal
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_scheduler.type_defs import (
        CreateScheduleGroupInputTypeDef,
        DeleteScheduleGroupInputTypeDef,
        GetScheduleGroupInputTypeDef,
        ListScheduleGroupsInputTypeDef,
    )

PAGE = 100


class GroupOperations:
    """Schedule groups."""

    def __init__(self, store: Store, clock: Clock, home: Home, removal: Removal) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._removal = removal

    @operation("CreateScheduleGroup")
    async def create(self, context: RequestContext, request: "CreateScheduleGroupInputTypeDef") -> dict[str, Any]:
        name, now = request["Name"], self._clock.now()
        row = {"name": name, "now": now, "tags": json.dumps(tags_from(request.get("Tags", ())))}

        def body(tx: Tx) -> None:
            if tokens.seen(tx, "CreateScheduleGroup", request, now):
                return
            before = catalog.find_group(tx, name)
            if before is not None:
                raise faults.group_deleting(name) if before.state == "DELETING" else faults.group_exists(name)
            count = tx.one(sql.COUNT_GROUPS)
            if count is not None and count[0] >= MAX_GROUPS:
                raise ServiceError(
                    "ServiceQuotaExceededException", f"An account can have at most {MAX_GROUPS} schedule groups."
                )
            tx.run(sql.INSERT_GROUP, row)

        await self._store.write(body)
        return {"ScheduleGroupArn": self._home.group_arn(name)}

    @operation("GetScheduleGroup")
    async def get(self, context: RequestContext, request: "GetScheduleGroupInputTypeDef") -> dict[str, Any]:
        return self._described(await self._store.read(lambda reader: catalog.existing_group(reader, request["Name"])))

    @operation("DeleteScheduleGroup")
    async def delete(self, context: RequestContext, request: "DeleteScheduleGroupInputTypeDef") -> dict[str, Any]:
        name, now = request["Name"], self._clock.now()
        if name == DEFAULT_GROUP:
            raise faults.invalid("The default schedule group cannot be deleted.")

        def body(tx: Tx) -> None:
            if tokens.seen(tx, "DeleteScheduleGroup", request, now):
                return
            if catalog.existing_group(tx, name).state == "ACTIVE":
                tx.run(sql.MARK_DELETING, {"name": name, "now": now})
            tx.after_commit(self._removal.wake)

        await self._store.write(body)
        return {}

    @operation("ListScheduleGroups")
    async def list(self, context: RequestContext, request: "ListScheduleGroupsInputTypeDef") -> dict[str, Any]:
        limit, prefix = request.get("MaxResults", PAGE), request.get("NamePrefix", "")
        after = page_tokens.after(request.get("NextToken"), faults.bad_page)
        found = await self._store.read(lambda reader: catalog.page_of_groups(reader, prefix, after, limit + 1))
        reply: dict[str, Any] = {"ScheduleGroups": [self._described(group) for group in found[:limit]]}
        if len(found) > limit:
            reply["NextToken"] = page_tokens.encode(found[limit - 1].name)
        return reply

    def _described(self, group: Group) -> dict[str, Any]:
        return {
            "Arn": self._home.group_arn(group.name),
            "Name": group.name,
            "State": group.state,
            "CreationDate": utc(group.created_at),
            "LastModificationDate": utc(group.modified_at),
        }
