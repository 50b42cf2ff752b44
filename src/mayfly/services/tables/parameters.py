"""The expressions of a request, read from its parameters, whichever of the two generations those are of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mayfly.services.tables import legacy
from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.expressions.ast import Condition, Projection, Update
from mayfly.services.tables.expressions.binding import Bindings, invalid_placeholder
from mayfly.services.tables.expressions.cache import ExpressionCache
from mayfly.services.tables.expressions.errors import ExpressionError
from mayfly.services.tables.expressions.key_conditions import KeyCondition, key_conditions
from mayfly.services.tables.values import AttributeValue, Item, checked, checked_item

_LEGACY = (
    "AttributesToGet",
    "AttributeUpdates",
    "QueryFilter",
    "ScanFilter",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
)


@dataclass(frozen=True, slots=True)
class Expressions:
    """What a request's expressions ask for; None where it has no such parameter. `item` is its item or key."""

    item: Item = field(default_factory=dict)
    condition: Condition | None = None
    update: Update | None = None
    filter: Condition | None = None
    projection: Projection | None = None
    keys: dict[str, KeyCondition] | None = None


class ExpressionReader:
    """Reads the expressions of requests. Used on the event loop."""

    def __init__(self, cache: ExpressionCache) -> None:
        self._cache = cache

    def read(
        self,
        request: Mapping[str, Any],
        parameters: Sequence[str],
        member: str | None = None,
        check: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Expressions:
        """The expressions of a request that takes those of `parameters` ("UpdateExpression", …); `InvalidError`.

        The values in `member` ("Item" or "Key") are checked on the way, and `check` is called, at the point where
        DynamoDB does it.
        """
        _check_mixture(request, parameters)
        item = checked_item(request[member]) if member is not None else {}
        old = _legacy(request)
        if check is not None:
            check(request)
        names, values = request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues")
        if names is None and values is None and not any(parameter in request for parameter in parameters):
            return replace(old, item=item, keys=_keys(request, None))
        message = invalid_placeholder(names, values)
        if message is not None:
            raise InvalidError(message)
        bindings = Bindings(names, None if values is None else _checked_values(values))
        update = self._update(request, bindings)
        condition = self._condition(request, "ConditionExpression", bindings)
        keys = self._condition(request, "KeyConditionExpression", bindings)
        filter_ = self._condition(request, "FilterExpression", bindings)
        projection = self._projection(request, bindings)
        message = bindings.unused()
        if message is not None:
            raise InvalidError(message)
        return Expressions(item, condition, update, filter_, projection, _keys(request, keys))

    def _condition(self, request: Mapping[str, Any], parameter: str, bindings: Bindings) -> Condition | None:
        if parameter not in request:
            return None
        try:
            return bindings.condition(self._cache.condition(request[parameter]))
        except ExpressionError as error:
            raise InvalidError(f"Invalid {parameter}: {error}") from None

    def _update(self, request: Mapping[str, Any], bindings: Bindings) -> Update | None:
        if "UpdateExpression" not in request:
            return None
        try:
            return bindings.update(self._cache.update(request["UpdateExpression"]))
        except ExpressionError as error:
            raise InvalidError(f"Invalid UpdateExpression: {error}") from None

    def _projection(self, request: Mapping[str, Any], bindings: Bindings) -> Projection | None:
        if "ProjectionExpression" not in request:
            return None
        try:
            return bindings.projection(self._cache.projection(request["ProjectionExpression"]))
        except ExpressionError as error:
            raise InvalidError(f"Invalid ProjectionExpression: {error}") from None


def _keys(request: Mapping[str, Any], condition: Condition | None) -> dict[str, KeyCondition] | None:
    if condition is None:
        return legacy.key_conditions(request["KeyConditions"]) if "KeyConditions" in request else None
    try:
        return key_conditions(condition)
    except ExpressionError as error:
        raise InvalidError(str(error)) from None


def _legacy(request: Mapping[str, Any]) -> Expressions:
    """What the parameters that came before expressions ask for, but for the keys."""
    operator = request.get("ConditionalOperator", "AND")
    filters = request.get("QueryFilter", request.get("ScanFilter", {}))
    if "ConditionalOperator" in request and not (request.get("Expected") or filters):
        raise InvalidError("ConditionalOperator cannot be used without Filter or Expected")
    return Expressions(
        condition=legacy.expected_condition(request.get("Expected", {}), operator),
        update=legacy.update(request["AttributeUpdates"]) if "AttributeUpdates" in request else None,
        filter=legacy.filter_condition(filters, operator),
        projection=legacy.projection(request["AttributesToGet"]) if "AttributesToGet" in request else None,
    )


def _check_mixture(request: Mapping[str, Any], parameters: Sequence[str]) -> None:
    given = [parameter for parameter in parameters if parameter in request]
    old = [parameter for parameter in _LEGACY if parameter in request]
    if "KeyConditionExpression" not in given and "KeyConditions" in old:
        old.remove("KeyConditions")  # the one legacy parameter that goes together with a filter or a projection
    if given and old:
        raise InvalidError(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(old)}}} Expression parameters: {{{', '.join(given)}}}"
        )
    if "ExpressionAttributeNames" in request and not given:
        raise InvalidError("ExpressionAttributeNames can only be specified when using expressions")
    takers = [parameter for parameter in parameters if parameter != "ProjectionExpression"]
    if "ExpressionAttributeValues" in request and not any(taker in request for taker in takers):
        verb = "are" if len(takers) > 1 else "is"
        raise InvalidError(
            "ExpressionAttributeValues can only be specified when using expressions: "
            f"{' and '.join(takers)} {verb} null"
        )


def _checked_values(values: Mapping[str, Any]) -> dict[str, AttributeValue]:
    checked_values = {}
    for key, value in values.items():
        try:
            checked_values[key] = checked(value)
        except InvalidError as error:
            raise InvalidError(
                f"ExpressionAttributeValues contains invalid value: {error.message} for key {key}"
            ) from None
    return checked_values
