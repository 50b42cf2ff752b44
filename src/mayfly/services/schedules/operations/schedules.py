"""Operations on schedules."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly import ids
from mayfly.clock import Clock, utc
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, operation
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.ports import SdkOperations
from mayfly.services.schedules import catalog, faults, tokens, validation
from mayfly.services.schedules.model import DEFAULT_GROUP, Schedule
from mayfly.services.schedules.names import Home
from mayfly.services.schedules.timing import Timing
from mayfly.store.api import Store, Tx
from mayfly.ticker.ticker import Ticker

if TYPE_CHECKING:
    from types_boto3_scheduler.type_defs import (
        CreateScheduleInputTypeDef,
        DeleteScheduleInputTypeDef,
        GetScheduleInputTypeDef,
        ListSchedulesInputTypeDef,
        UpdateScheduleInputTypeDef,
    )

PAGE = 100


class ScheduleOperations:
    """Schedules."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        home: Home,
        ticker: Ticker,
        timing: Timing,
        roles: ExecutionRoles,
        operations: SdkOperations,
    ) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._ticker = ticker
        self._timing = timing
        self._roles = roles
        self._operations = operations

    @operation("CreateSchedule")
    async def create(self, context: RequestContext, request: "CreateScheduleInputTypeDef") -> dict[str, Any]:
        wanted = await self._wanted(request)

        def body(tx: Tx) -> None:
            if tokens.seen(tx, "CreateSchedule", request, wanted.created_at):
                return
            catalog.usable_group(tx, wanted.group)
            if catalog.find(tx, wanted.group, wanted.name) is not None:
                raise faults.schedule_exists(wanted.name)
            self._put(tx, wanted, None)

        await self._store.write(body)
        return {"ScheduleArn": self._home.schedule_arn(wanted.group, wanted.name)}

    @operation("UpdateSchedule")
    async def update(self, context: RequestContext, request: "UpdateScheduleInputTypeDef") -> dict[str, Any]:
        wanted = await self._wanted(request)

        def body(tx: Tx) -> None:
            if tokens.seen(tx, "UpdateSchedule", request, wanted.created_at):
                return
            catalog.usable_group(tx, wanted.group)
            before = catalog.existing(tx, wanted.group, wanted.name)
            self._put(tx, msgspec.structs.replace(wanted, created_at=before.created_at), before)

        await self._store.write(body)
        return {"ScheduleArn": self._home.schedule_arn(wanted.group, wanted.name)}

    @operation("GetSchedule")
    async def get(self, context: RequestContext, request: "GetScheduleInputTypeDef") -> dict[str, Any]:
        group, name = request.get("GroupName", DEFAULT_GROUP), request["Name"]
        schedule = await self._store.read(lambda reader: catalog.existing(reader, group, name))
        return self._described(schedule)

    @operation("DeleteSchedule")
    async def delete(self, context: RequestContext, request: "DeleteScheduleInputTypeDef") -> dict[str, Any]:
        group, name = request.get("GroupName", DEFAULT_GROUP), request["Name"]

        def body(tx: Tx) -> None:
            if tokens.seen(tx, "DeleteSchedule", request, self._clock.now()):
                return
            if not catalog.remove(tx, group, name):
                catalog.existing(tx, group, name)
            self._ticker.set(tx, Schedule.key_of(group, name), None)

        await self._store.write(body)
        return {}

    @operation("ListSchedules")
    async def list(self, context: RequestContext, request: "ListSchedulesInputTypeDef") -> dict[str, Any]:
        group, limit = request.get("GroupName"), request.get("MaxResults", PAGE)
        after_group, after_name = page_tokens.places(request.get("NextToken"), 2, faults.bad_page)
        prefix, state = request.get("NamePrefix", ""), request.get("State")
        if group is not None:
            await self._store.read(lambda reader: catalog.existing_group(reader, group))
        found = await self._store.read(
            lambda reader: catalog.page(reader, group, prefix, state, (after_group, after_name), limit + 1)
        )
        reply: dict[str, Any] = {"Schedules": [self._summary(schedule) for schedule in found[:limit]]}
        if len(found) > limit:
            reply["NextToken"] = page_tokens.encode(found[limit - 1].group, found[limit - 1].name)
        return reply

    async def _wanted(self, request: "CreateScheduleInputTypeDef | UpdateScheduleInputTypeDef") -> Schedule:
        wanted = validation.schedule_of(request, ids.digits(16), self._clock.now())
        await validation.check_target(wanted, self._operations)
        if not await self._roles.usable(wanted.target["RoleArn"]):
            raise faults.role_unusable()
        return wanted

    def _put(self, tx: Tx, wanted: Schedule, before: Schedule | None) -> None:
        """Write the schedule with its first moment. A rate goes on as it was unless its expression or start changed."""
        now = wanted.modified_at
        anchored = msgspec.structs.replace(wanted, anchor=self._timing.anchored(wanted, before, now))
        catalog.put(tx, self._ticker, anchored, self._timing.first(anchored, now))

    def _summary(self, schedule: Schedule) -> dict[str, Any]:
        return {
            "Arn": self._home.schedule_arn(schedule.group, schedule.name),
            "Name": schedule.name,
            "GroupName": schedule.group,
            "State": schedule.state,
            "CreationDate": utc(schedule.created_at),
            "LastModificationDate": utc(schedule.modified_at),
            "Target": {"Arn": schedule.target["Arn"]},
        }

    def _described(self, schedule: Schedule) -> dict[str, Any]:
        window: dict[str, Any] = {"Mode": "OFF" if schedule.window_minutes is None else "FLEXIBLE"}
        if schedule.window_minutes is not None:
            window["MaximumWindowInMinutes"] = schedule.window_minutes
        described = {
            **self._summary(schedule),
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.zone,
            "ActionAfterCompletion": schedule.action,
            "FlexibleTimeWindow": window,
            "Target": schedule.target,
            "StartDate": None if schedule.start is None else utc(schedule.start),
            "EndDate": None if schedule.end is None else utc(schedule.end),
            "Description": schedule.description,
            "KmsKeyArn": schedule.kms_key,
        }
        return {name: value for name, value in described.items() if value is not None}
