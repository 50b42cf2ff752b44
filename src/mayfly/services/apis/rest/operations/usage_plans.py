"""Usage plans, the keys that they have, and what was used."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from mayfly.services.apis.rest import catalog, faults, naming, paging, patching, plan_patches, plans
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.key_values import KeyValues
from mayfly.services.apis.rest.model import ApiKey, UsagePlan, shown
from mayfly.services.apis.rest.operations.api_keys import MOST
from mayfly.services.apis.rest.serving.metered import period
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Tx

MOST_PLANS = 300
_MOST_DAYS = 90


class UsagePlanOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing, values: KeyValues, forget: Callable[[], None]) -> None:
        """`forget`: what is known of keys and plans."""
        self._editing = editing
        self._values = values
        self._forget = forget

    @operation("CreateUsagePlan")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        quota = params.get("quota")
        members = {
            "id": naming.made_id(context, 6, "plan"),
            "apiStages": params.get("apiStages") or [],
            **{name: params[name] for name in ("name", "description", "throttle", "tags") if name in params},
            **({"quota": {"offset": 0, **quota}} if quota is not None else {}),
        }
        made = plan_patches.checked(members)

        def body(tx: Tx) -> UsagePlan:
            if context.once is not None and (before := plans.plan(tx, made.id)) is not None:
                return before
            if len(plans.plans(tx, "", MOST_PLANS)) >= MOST_PLANS:
                raise faults.too_many(f"Maximum number of usage plans has been reached: {MOST_PLANS}")
            _check_stages(tx, made)
            self._put(tx, made)
            return made

        return described(await self._editing.store.write(body))

    @operation("GetUsagePlan")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.store.read(lambda reader: find(reader, params["usagePlanId"]))
        return {"tags": {}, **described(found)}

    @operation("GetUsagePlans")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        key = params.get("keyId")

        def body(reader: Reader) -> list[UsagePlan]:
            return plans.plans_of(reader, key) if key is not None else plans.plans(reader, "", MOST_PLANS)

        found, more = paging.page([(one.id, one) for one in await self._editing.store.read(body)], params)
        return {"items": [described(one) for one in found], **more}

    @operation("UpdateUsagePlan")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(tx: Tx) -> UsagePlan:
            plan = find(tx, params["usagePlanId"])
            members = msgspec.to_builtins(plan)
            for patch in asked:
                if patch.path == "/apiStages":
                    _check_place(tx, plan, patch)
                plan_patches.apply(members, patch)
            changed = plan_patches.checked(members)
            self._put(tx, changed)
            return changed

        return {"tags": {}, **described(await self._editing.store.write(body))}

    @operation("DeleteUsagePlan")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(tx: Tx) -> None:
            plan = find(tx, params["usagePlanId"])
            if plan.api_stages:
                raise faults.bad_request(f"Cannot delete usage plan {plan.id} because it has associated API stages")
            plans.delete_plan(tx, plan.id)
            tx.after_commit(self._forget)

        await self._editing.store.write(body)
        return {}

    @operation("CreateUsagePlanKey")
    async def add(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        plan_id, key_id = params["usagePlanId"], params["keyId"]
        if params["keyType"] != "API_KEY":
            raise faults.bad_request("Invalid Key Type specified. Valid options are API_KEY")

        def body(tx: Tx) -> dict[str, Any]:
            plan, key = find(tx, plan_id), plans.key(tx, key_id)
            if key is None:
                raise faults.not_found("Invalid API Key identifier specified")
            if not plans.has_key(tx, plan_id, key_id):
                stages = {(one.api_id, one.stage) for one in plan.api_stages}
                for other in plans.plans_of(tx, key_id):
                    if stages & {(one.api_id, one.stage) for one in other.api_stages}:
                        raise faults.conflict(
                            f"Usage Plan Key (API Key {key_id}) is in the usage plan {other.id} for the same API stage"
                        )
                plans.add_key(tx, plan_id, key_id)
                tx.after_commit(self._forget)
            elif context.once is None:
                raise faults.conflict("Usage Plan Key already exists")
            return _key(key, self._values.of(tx, key_id))

        return await self._editing.store.write(body)

    @operation("GetUsagePlanKey")
    async def get_key(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(reader: Reader) -> dict[str, Any]:
            key = plans.key(reader, params["keyId"])
            if key is None or not plans.has_key(reader, params["usagePlanId"], key.id):
                raise faults.not_found("Invalid API Key identifier specified")
            return _key(key, self._values.of(reader, key.id))

        return await self._editing.store.read(body)

    @operation("GetUsagePlanKeys")
    async def keys(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        prefix = params.get("nameQuery") or ""

        def body(reader: Reader) -> dict[str, Any]:
            found = plans.keys_of(reader, params["usagePlanId"], MOST)
            kept = [(f"{at:06d}", one) for at, one in enumerate(found) if (one.name or "").startswith(prefix)]
            keys, more = paging.page(kept, params)
            return {"items": [_key(one, self._values.of(reader, one.id)) for one in keys], **more}

        return await self._editing.store.read(body)

    @operation("DeleteUsagePlanKey")
    async def remove(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(tx: Tx) -> None:
            if not plans.has_key(tx, params["usagePlanId"], params["keyId"]):
                raise faults.not_found("Invalid API Key identifier specified")
            plans.remove_key(tx, params["usagePlanId"], params["keyId"])
            tx.after_commit(self._forget)

        await self._editing.store.write(body)
        return {}

    @operation("GetUsage")
    async def usage(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        first, last = _day(params["startDate"]), _day(params["endDate"])
        if last < first or (last - first).days >= _MOST_DAYS:
            raise faults.bad_request(f"Invalid date range: it has to be in order, and of {_MOST_DAYS} days at most")

        def body(reader: Reader) -> dict[str, list[list[int]]]:
            plan = find(reader, params["usagePlanId"])
            found = plans.used_by_day(reader, plan.id, f"{first - timedelta(days=62)}", f"{last}")
            days = [first + timedelta(days=at) for at in range((last - first).days + 1)]
            wanted = params.get("keyId")
            keys = [one.id for one in plans.keys_of(reader, plan.id, MOST) if wanted in (None, one.id)]
            return {key: [_usage(plan, found.get(key, {}), day) for day in days] for key in keys}

        found = await self._editing.store.read(body)
        items, more = paging.page(sorted(found.items()), params)
        names = [key for key in sorted(found) if key > paging.after(params)][: len(items)]
        shown_dates = {"startDate": params["startDate"], "endDate": params["endDate"]}
        listed = dict(zip(names, items, strict=True))
        return {"usagePlanId": params["usagePlanId"], **shown_dates, "items": listed, **more}

    @operation("UpdateUsage")
    async def grant(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a key more requests in the period that it is in, or fewer."""
        today = datetime.fromtimestamp(self._editing.clock.now(), UTC)

        def body(tx: Tx) -> list[int]:
            plan = find(tx, params["usagePlanId"])
            if not plans.has_key(tx, plan.id, params["keyId"]):
                raise faults.not_found("Invalid API Key identifier specified")
            if plan.quota is None:
                raise faults.bad_request("Usage plan does not have a quota")
            first, last = period(plan.quota, today)
            for patch in patching.patches(params):
                if patch.path != "/remaining" or patch.op != "replace":
                    raise faults.bad_request(f"Invalid patch path {patch.path}")
                wanted = int(patching.integer("remaining")(patch.value))
                used, granted = plans.used(tx, plan.id, params["keyId"], first, last)
                more = wanted - (plan.quota.limit + granted - used)
                plans.add_used(tx, plan.id, params["keyId"], f"{today:%Y-%m-%d}", 0, more)
            by_day = plans.used_by_day(tx, plan.id, first, last).get(params["keyId"], {})
            return _usage(plan, by_day, today.date())

        found = await self._editing.store.write(body)
        day = f"{today:%Y-%m-%d}"
        members = {"startDate": day, "endDate": day, "items": {params["keyId"]: [found]}}
        return {"usagePlanId": params["usagePlanId"], **members}

    def _put(self, tx: Tx, plan: UsagePlan) -> None:
        plans.put_plan(tx, plan)
        tx.after_commit(self._forget)


def find(reader: Reader, plan_id: str) -> UsagePlan:
    found = plans.plan(reader, plan_id)
    if found is None:
        raise faults.not_found("Invalid Usage Plan ID specified")
    return found


def _usage(plan: UsagePlan, by_day: Mapping[str, tuple[int, int]], day: date) -> list[int]:
    """What was used on a day, and what remained of the period at its end."""
    used = by_day.get(f"{day}", (0, 0))[0]
    if plan.quota is None:
        return [used, 0]
    first, _ = period(plan.quota, datetime(day.year, day.month, day.day, tzinfo=UTC))
    until = [count for at, count in by_day.items() if first <= at <= f"{day}"]
    return [used, plan.quota.limit + sum(granted for _, granted in until) - sum(count for count, _ in until)]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise faults.bad_request(f"Invalid date specified: {text}") from None


def _check_stages(reader: Reader, plan: UsagePlan) -> None:
    for one in plan.api_stages:
        if catalog.stage(reader, one.api_id, one.stage) is None:
            raise faults.not_found(f"API Stage not found: {one.api_id}:{one.stage}")


def _check_place(reader: Reader, plan: UsagePlan, patch: patching.Patch) -> None:
    """Whether `api:stage` of a patch is there: among all for one to add, in the plan for one to remove."""
    api_id, found, stage = (patch.value or "").partition(":")
    if not found:
        raise faults.bad_request("Invalid API Stage specified")
    if patch.op == "remove":
        there = any((one.api_id, one.stage) == (api_id, stage) for one in plan.api_stages)
    else:
        there = catalog.stage(reader, api_id, stage) is not None
    if not there:
        place = f"{{api: {api_id}, stage: {stage}}}"
        raise faults.not_found(f"Invalid API Stage {place} specified for usageplan {plan.id}")


def described(plan: UsagePlan) -> dict[str, Any]:
    return shown(plan)


def _key(key: ApiKey, value: str) -> dict[str, Any]:
    named = {"name": key.name} if key.name is not None else {}
    return {"id": key.id, "type": "API_KEY", "value": value, **named}
