"""Operations on metric filters: numbers in events of a group, or how many there are, as a metric."""

from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, operation
from mayfly.services.telemetry import faults
from mayfly.services.telemetry.book import Book
from mayfly.services.telemetry.column_patterns import number
from mayfly.services.telemetry.filters import Filter, Transformation
from mayfly.services.telemetry.operations.filtering import checked_pattern, delete_filter, page_of, put_filter
from mayfly.services.telemetry.patterns import Pattern
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DeleteMetricFilterRequestTypeDef,
        DescribeMetricFiltersRequestTypeDef,
        MetricTransformationUnionTypeDef,
        PutMetricFilterRequestTypeDef,
        TestMetricFilterRequestTypeDef,
    )

_UNSERVED = ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions")
_MOST_DIMENSIONS = 3


class MetricFilterOperations:
    def __init__(self, store: Store, book: Book, clock: Clock) -> None:
        self._store = store
        self._book = book
        self._clock = clock

    @operation("PutMetricFilter")
    async def put(self, context: RequestContext, request: "PutMetricFilterRequestTypeDef") -> dict[str, Any]:
        pattern = checked_pattern(request["filterPattern"])
        for member in _UNSERVED:
            if request.get(member):
                raise faults.invalid(f"Mayfly does not implement {member} of metric filters")
        if len(request["metricTransformations"]) != 1:
            raise faults.invalid("A metric filter has exactly one metric transformation")
        said = _transformation(pattern, request["metricTransformations"][0])
        group, name, now = request["logGroupName"], request["filterName"], int(self._clock.now() * 1000)
        await self._book.settle()

        def body(tx: Tx) -> None:
            put_filter(tx, self._book, "metric", group, name, request["filterPattern"], said, now)

        await self._store.write(body)
        return {}

    @operation("DescribeMetricFilters")
    async def describe(self, context: RequestContext, request: "DescribeMetricFiltersRequestTypeDef") -> dict[str, Any]:
        metric, namespace = request.get("metricName"), request.get("metricNamespace")
        if (metric is None) != (namespace is None):
            raise faults.invalid("metricName and metricNamespace must be given together")

        def wanted(found: Filter) -> bool:
            said = found.transformation
            return metric is None or (said is not None and (said.name, said.namespace) == (metric, namespace))

        return await page_of(self._store, "metric", request, "metricFilters", _shape, wanted)

    @operation("DeleteMetricFilter")
    async def delete(self, context: RequestContext, request: "DeleteMetricFilterRequestTypeDef") -> dict[str, Any]:
        group, name = request["logGroupName"], request["filterName"]
        await self._store.write(lambda tx: delete_filter(tx, self._book, "metric", group, name))
        return {}

    @operation("TestMetricFilter")
    async def test(self, context: RequestContext, request: "TestMetricFilterRequestTypeDef") -> dict[str, Any]:
        """Which of some messages a pattern selects."""
        pattern = checked_pattern(request["filterPattern"])
        return {
            "matches": [
                {"eventNumber": place, "eventMessage": message, "extractedValues": dict(pattern.extracted(message))}
                for place, message in enumerate(request["logEventMessages"], 1)
                if pattern.matches(message)
            ]
        }


def _transformation(pattern: Pattern, given: "MetricTransformationUnionTypeDef") -> Transformation:
    """InvalidParameterException."""
    value, dimensions = given["metricValue"], given.get("dimensions", {})
    selectors = [*([value] if value.startswith("$") else []), *dimensions.values()]
    if not value.startswith("$") and number(value) is None:
        raise faults.invalid("Invalid metric transformation: metricValue must be a number or a field of the pattern")
    for selector in selectors:
        known = pattern.columns is None or selector in _names(pattern)
        structured = pattern.columns is not None or pattern.selects is not None
        if not selector.startswith("$") or not known or not structured:
            raise faults.invalid(f"Invalid metric transformation: {selector} is no field of the pattern")
    if given["metricNamespace"].startswith("AWS/"):
        raise faults.invalid("Invalid metric transformation: the namespace AWS/ is reserved")
    if len(dimensions) > _MOST_DIMENSIONS:
        raise faults.invalid(f"Invalid metric transformation: there are at most {_MOST_DIMENSIONS} dimensions")
    if dimensions and "defaultValue" in given:
        raise faults.invalid(
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties."
        )
    return Transformation(
        given["metricName"],
        given["metricNamespace"],
        value,
        given.get("defaultValue"),
        given.get("unit", "None"),
        tuple(sorted(dimensions.items())),
    )


def _names(pattern: Pattern) -> set[str]:
    assert pattern.columns is not None
    columns = [*pattern.columns.head, *(pattern.columns.tail or ())]
    return {f"${column.name or place}" for place, column in enumerate(columns, 1)}


def _shape(found: Filter) -> dict[str, Any]:
    said = found.transformation
    assert said is not None
    measured: dict[str, Any] = {
        "metricName": said.name,
        "metricNamespace": said.namespace,
        "metricValue": said.value,
        "unit": said.unit,
    }
    if said.default is not None:
        measured["defaultValue"] = said.default
    if said.dimensions:
        measured["dimensions"] = dict(said.dimensions)
    return {
        "filterName": found.name,
        "logGroupName": found.group,
        "filterPattern": found.text,
        "metricTransformations": [measured],
        "creationTime": found.created_ms,
        "applyOnTransformedLogs": False,
    }
