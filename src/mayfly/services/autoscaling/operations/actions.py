"""Scheduled actions, and what was done: scaling activities."""

import math
from collections.abc import Mapping
from typing import Any

from mayfly import ids
from mayfly.clock import Clock, utc
from mayfly.services.autoscaling import catalog, faults, names, paging, timing
from mayfly.services.autoscaling.acting import key_of
from mayfly.services.autoscaling.model import DIMENSION, NAMESPACE, Action, Activity
from mayfly.services.autoscaling.names import Home
from mayfly.services.autoscaling.operations import listing
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Store, Tx
from mayfly.ticker.ticker import Ticker

MOST = 200  # of a target


class ActionOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, clock: Clock, home: Home, ticker: Ticker) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._ticker = ticker

    @operation("PutScheduledAction")
    async def put(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        resource = names.resource_of(params)

        def body(tx: Tx) -> None:
            if catalog.target(tx, resource) is None:
                raise faults.unknown("scalable target", names.described(resource))
            before = catalog.action(tx, resource, params["ScheduledActionName"])
            if before is None and len(catalog.actions_of(tx, resource)) >= MOST:
                raise faults.validation(f"A scalable target can have at most {MOST} scheduled actions.")
            action = self._action(params, resource, before)
            catalog.put_action(tx, action)
            self._ticker.set(tx, key_of(action), timing.first(action, self._clock.now()))

        await self._store.write(body)
        return {}

    def _action(self, params: Mapping[str, Any], resource: str, before: Action | None) -> Action:
        """What is not named stays as it was, but for the times, which are then none."""
        schedule = params.get("Schedule", before.schedule if before is not None else None)
        if schedule is None:
            raise faults.validation("Schedule is required for a new scheduled action.")
        zone = params.get("Timezone", before.zone if before is not None else None)
        timing.check(schedule, zone)
        bounds = params.get("ScalableTargetAction", {})
        least = bounds.get("MinCapacity", before.least if before is not None else None)
        most = bounds.get("MaxCapacity", before.most if before is not None else None)
        if least is None and most is None:
            raise faults.validation("ScalableTargetAction has to name MinCapacity or MaxCapacity, or both.")
        if min(value for value in (least, most) if value is not None) < 0:
            raise faults.validation("MinCapacity and MaxCapacity must not be negative.")
        if least is not None and most is not None and least > most:
            raise faults.validation("Maximum capacity cannot be less than minimum capacity")
        start, end = _time(params, "StartTime"), _time(params, "EndTime")
        if start is not None and end is not None and start >= end:
            raise faults.validation("EndTime must be later than StartTime.")
        now = self._clock.now()
        return Action(
            params["ScheduledActionName"],
            resource,
            before.id if before is not None else ids.request_id(),
            schedule,
            before.created_at if before is not None else now,
            timing.anchor(schedule, start, now),
            zone,
            start,
            end,
            least,
            most,
        )

    @operation("DescribeScheduledActions")
    async def describe(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found, more = await listing.page(
            self._store, params, "ScheduledActionNames", catalog.actions_of, catalog.actions
        )
        return {"ScheduledActions": [self._shown(one) for one in found], **more}

    @operation("DeleteScheduledAction")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        resource, name = names.resource_of(params), params["ScheduledActionName"]

        def body(tx: Tx) -> None:
            found = catalog.action(tx, resource, name)
            if found is None:
                raise faults.unknown(f"scheduled action named {name}", names.described(resource))
            catalog.delete_action(tx, found)
            self._ticker.set(tx, key_of(found), None)

        await self._store.write(body)
        return {}

    @operation("DescribeScalingActivities")
    async def activities(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """Of the last six weeks, the latest first."""
        names.check_namespace(params)
        (at, id_), size = paging.after(params, 2), paging.size(params)
        before, resource = _number(at), params.get("ResourceId")

        def body(reader: Reader) -> list[Activity]:
            found: list[Activity] = []
            place = (before, id_)
            while len(found) <= size and (page := catalog.activities(reader, *place, 100)):
                found += [one for one in page if resource in (None, one.resource)]
                place = (page[-1].started_at, page[-1].id)
            return found

        found = await self._store.read(body)
        last = found[size - 1] if len(found) > size else None
        more = paging.more(repr(last.started_at), last.id) if last is not None else {}
        return {"ScalingActivities": [_shown(one) for one in found[:size]], **more}

    def _shown(self, action: Action) -> dict[str, Any]:
        bounds = {"MinCapacity": action.least, "MaxCapacity": action.most}
        shown: dict[str, Any] = {
            "ScheduledActionName": action.name,
            "ScheduledActionARN": self._home.action_arn(action),
            "ServiceNamespace": NAMESPACE,
            "Schedule": action.schedule,
            "ResourceId": action.resource,
            "ScalableDimension": DIMENSION,
            "ScalableTargetAction": {name: value for name, value in bounds.items() if value is not None},
            "CreationTime": utc(action.created_at),
        }
        if action.zone is not None:
            shown["Timezone"] = action.zone
        for name, moment in (("StartTime", action.start), ("EndTime", action.end)):
            if moment is not None:
                shown[name] = utc(moment)
        return shown


def _shown(activity: Activity) -> dict[str, Any]:
    return {
        "ActivityId": activity.id,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": activity.resource,
        "ScalableDimension": DIMENSION,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": utc(activity.started_at),
        "EndTime": utc(activity.ended_at),
        "StatusCode": activity.status,
        "StatusMessage": activity.message,
    }


def _time(params: Mapping[str, Any], name: str) -> float | None:
    return params[name].timestamp() if name in params else None


def _number(text: str) -> float:
    """The time in a token; the end of all for none."""
    try:
        return float(text) if text else math.inf
    except ValueError:
        raise faults.bad_token() from None
