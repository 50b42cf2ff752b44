"""API keys and what their usage plans leave of them, and how often methods may be called at all.

Rates are token buckets in memory. Quotas are rows: what is counted is counted in the commit that lets a request
through, so that a quota is exact, also over a restart.
"""

from datetime import UTC, datetime, timedelta

from mayfly.clock import Clock
from mayfly.policy.rates import Bucket, Rate, full_at, take, wait_s
from mayfly.services.apis.rest import plans
from mayfly.services.apis.rest.key_values import KeyValues
from mayfly.services.apis.rest.model import ApiKey, PlanStage, Quota, Throttle, UsagePlan
from mayfly.services.apis.rest.serving.arrival import Arrival
from mayfly.services.apis.rest.serving.refusals import RefusedError
from mayfly.store.api import Reader, Store, Tx

_MOST_BUCKETS = 50_000
_MOST_KEYS = 10_000
Known = tuple[ApiKey, list[UsagePlan]]


class Metered:
    """Counts requests."""

    def __init__(self, store: Store, values: KeyValues, clock: Clock) -> None:
        self._store = store
        self._values = values
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._keys: dict[str, Known | None] = {}
        self._turn = 0

    def forget(self) -> None:
        """Keys and plans, because some of them changed."""
        self._turn += 1
        self._keys.clear()

    async def admit(self, arrival: Arrival) -> None:
        """Return if the request may go on; `RefusedError`."""
        method, resource = arrival.method, arrival.resource
        assert method is not None, "found before"
        assert resource is not None, "found before"
        if method.api_key_required:
            await self._by_key(arrival, f"{resource.path}/{arrival.request.method}")
        setting = arrival.view.setting(resource.path, method.http_method)
        if setting is not None and setting.throttling_rate_limit >= 0 and setting.throttling_burst_limit >= 0:
            head = f"{arrival.view.api.head.id}/{arrival.stage}{resource.path}/{method.http_method}"
            self._take(head, setting.throttling_rate_limit, setting.throttling_burst_limit)

    async def _by_key(self, arrival: Arrival, place: str) -> None:
        from_header = arrival.view.api.head.api_key_source == "HEADER"
        value = (arrival.header("x-api-key") if from_header else arrival.usage_key) or ""
        known = await self._known(value) if value else None
        api_id, stage = arrival.view.api.head.id, arrival.stage
        if known is None or not known[0].enabled:
            raise RefusedError("INVALID_API_KEY", "Forbidden", why="there is no such key, or it is disabled")
        key, all_plans = known
        found = next(((plan, one) for plan in all_plans if (one := _stage(plan, api_id, stage)) is not None), None)
        if found is None:
            raise RefusedError("INVALID_API_KEY", "Forbidden", why="the key is in no usage plan for this stage")
        plan, planned = found
        arrival.context["identity"] |= {"apiKey": value, "apiKeyId": key.id}
        own = _method(planned, place)
        if own is not None:
            self._take(f"{plan.id}/{key.id}/{api_id}/{stage}{place}", own.rate_limit, own.burst_limit)
        elif plan.throttle is not None:
            self._take(f"{plan.id}/{key.id}", plan.throttle.rate_limit, plan.throttle.burst_limit)
        await self._count(plan, key)

    async def _known(self, value: str) -> Known | None:
        if value in self._keys:
            return self._keys[value]
        turn = self._turn

        def body(reader: Reader) -> Known | None:
            key = self._values.key_of(reader, value)
            return (key, plans.plans_of(reader, key.id)) if key is not None else None

        found = await self._store.read(body)
        if turn == self._turn:
            if len(self._keys) >= _MOST_KEYS:
                self._keys.clear()
            self._keys[value] = found
        return found

    def _take(self, name: str, rate: float, burst: float) -> None:
        now = self._clock.monotonic()
        if rate <= 0 or burst < 1:
            raise RefusedError("THROTTLED", "Too Many Requests")
        limit = Rate(burst, rate)
        bucket = self._buckets.get(name)
        if wait_s(bucket, limit, now) > 0:
            raise RefusedError("THROTTLED", "Too Many Requests")
        if len(self._buckets) >= _MOST_BUCKETS:
            self._buckets = {key: one for key, one in self._buckets.items() if full_at(one, limit) > now}
        self._buckets[name] = take(bucket, limit, now)

    async def _count(self, plan: UsagePlan, key: ApiKey) -> None:
        today = datetime.fromtimestamp(self._clock.now(), UTC)
        quota = plan.quota

        def body(tx: Tx) -> bool:
            if quota is not None:
                first, last = period(quota, today)
                used, granted = plans.used(tx, plan.id, key.id, first, last)
                if used >= quota.limit + granted:
                    return False
            plans.add_used(tx, plan.id, key.id, f"{today:%Y-%m-%d}", 1)
            return True

        if not await self._store.write(body):
            raise RefusedError("QUOTA_EXCEEDED", "Limit Exceeded")


def period(quota: Quota, now: datetime) -> tuple[str, str]:
    """The first and the last day of the period that a moment is in. `offset`: days by which weeks and months begin
    later than on Sunday and on the first."""
    day = now.date()
    if quota.period == "DAY":
        return f"{day}", f"{day}"
    if quota.period == "WEEK":
        since = ((day.weekday() + 1) % 7 - quota.offset) % 7
        first = day - timedelta(days=since)
        return f"{first}", f"{first + timedelta(days=6)}"
    first = (day - timedelta(days=quota.offset)).replace(day=1) + timedelta(days=quota.offset)
    following = (first - timedelta(days=quota.offset) + timedelta(days=32)).replace(day=1)
    return f"{first}", f"{following + timedelta(days=quota.offset - 1)}"


def _stage(plan: UsagePlan, api_id: str, stage: str) -> PlanStage | None:
    return next((one for one in plan.api_stages if (one.api_id, one.stage) == (api_id, stage)), None)


def _method(planned: PlanStage, place: str) -> Throttle | None:
    return next((one for name, one in (planned.throttle or {}).items() if name.strip("/") == place.strip("/")), None)
