"""PutParameter, DeleteParameter and DeleteParameters."""

from collections.abc import Mapping
from typing import Any

from mayfly.clock import Clock
from mayfly.services import patterns
from mayfly.services.configs.parameters import catalog, expiry, faults, names, telling, versions
from mayfly.services.configs.parameters.model import Parameter, Place
from mayfly.services.configs.parameters.values import Values
from mayfly.services.configs.scopes import Scope
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.ports import PlatformEvents
from mayfly.store.api import Store, Tx
from mayfly.ticker.ticker import Ticker

MOST = 100_000  # parameters in one account and region


class WritingOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, clock: Clock, values: Values, events: PlatformEvents, ticker: Ticker) -> None:
        self._store = store
        self._clock = clock
        self._values = values
        self._events = events
        self._ticker = ticker

    @operation("PutParameter")
    async def put(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        scope = Scope.of(context)
        name = self._name(scope, params["Name"])
        names.check_new(name)
        await _check_pattern(params)
        place, by = names.place_of(scope, name), context.principal.arn

        def body(tx: Tx) -> Parameter:
            before = catalog.find(tx, place)
            change = versions.changed(before, {**params, "Name": name}, by, self._clock.now())
            if before is None and catalog.count(tx, scope) >= MOST:
                raise ServiceError("ParameterLimitExceeded", f"There are {MOST} parameters, and can be no more.")
            latest = change.parameter.latest
            if change.dropped is not None:
                catalog.delete_value(tx, place, change.dropped)
            catalog.put(tx, place, change.parameter)
            catalog.put_value(tx, place, latest.number, self._values.stored(place, latest, params["Value"]))
            self._ticker.set(tx, expiry.key_of(place), expiry.moment_of(change.parameter))
            telling.changed(self._events, tx, "Create" if before is None else "Update", place, change.parameter)
            return change.parameter

        latest = (await self._store.write(body)).latest
        return {"Version": latest.number, "Tier": latest.tier}

    @operation("DeleteParameter")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        named = names.parse(Scope.of(context), params["Name"])

        def body(tx: Tx) -> bool:
            return not named.selector and self._delete(tx, named.place)

        if not await self._store.write(body):
            raise faults.not_found(params["Name"])
        return {}

    @operation("DeleteParameters")
    async def delete_all(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        scope = Scope.of(context)

        def body(tx: Tx) -> list[str]:
            return [name for name in dict.fromkeys(params["Names"]) if self._delete(tx, names.place_of(scope, name))]

        deleted = await self._store.write(body)
        return {
            "DeletedParameters": deleted,
            "InvalidParameters": [name for name in dict.fromkeys(params["Names"]) if name not in deleted],
        }

    def _delete(self, tx: Tx, place: Place) -> bool:
        """Whether it was there."""
        parameter = catalog.find(tx, place)
        if parameter is None:
            return False
        catalog.delete(tx, place)
        self._ticker.set(tx, expiry.key_of(place), None)
        telling.changed(self._events, tx, "Delete", place, parameter)
        return True

    def _name(self, scope: Scope, given: str) -> str:
        """A parameter may be put by its ARN, too."""
        if not given.startswith("arn:"):
            return given
        return names.parse(scope, given).shown


async def _check_pattern(params: Mapping[str, Any]) -> None:
    pattern = params.get("AllowedPattern")
    if not pattern:
        return
    try:
        (verdict,) = await patterns.verdicts([(pattern, [params["Value"]])])
    except TimeoutError:
        verdict = "takes too long to match"
    if verdict:
        raise ServiceError("InvalidAllowedPatternException", f"The AllowedPattern {verdict}.")
    if verdict is not None:
        raise ServiceError(
            "ParameterPatternMismatchException",
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
        )
