"""AWS::Logs::SubscriptionFilter and AWS::Logs::MetricFilter: what is done with events that arrive in a group."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.logs.log_group import GONE
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import BOOLEAN, NUMBER, STRING, STRINGS, TAGS, Fields, Items, fields

_NOT_YET = "InvalidParameterException"
_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_PLACE = ("LogGroupName", "FilterName")
# Properties, and what they are called in the API.
_SUBSCRIBED = MappingProxyType(
    {
        "ApplyOnTransformedLogs": "applyOnTransformedLogs",
        "DestinationArn": "destinationArn",
        "Distribution": "distribution",
        "EmitSystemFields": "emitSystemFields",
        "FieldSelectionCriteria": "fieldSelectionCriteria",
        "RoleArn": "roleArn",
    }
)
_MEASURING = MappingProxyType(
    {
        "ApplyOnTransformedLogs": "applyOnTransformedLogs",
        "EmitSystemFieldDimensions": "emitSystemFieldDimensions",
        "FieldSelectionCriteria": "fieldSelectionCriteria",
    }
)


class _Filter:
    """What both kinds of filter are; the rest they say themselves."""

    operation: str  # behind Put, Describe (in the plural) and Delete
    member: str  # of what is described
    schema: Fields
    replaced_by = frozenset(_PLACE)
    attributes: frozenset[str] = frozenset()
    most_characters = 512

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties.get("FilterName") or target.name(self.most_characters))

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return "|".join(properties[name] for name in _PLACE) if "FilterName" in properties else None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._find(call, self.physical_id(target, properties), properties) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await self._put(call, name, properties)
        return Made(name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._put(call, made.physical_id, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        place = {"logGroupName": properties["LogGroupName"], "filterName": made.physical_id}
        await call.unless(GONE, "logs", f"Delete{self.operation}", **place)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await self._find(call, made.physical_id, properties)
        if found is None:
            return None
        truth = {"LogGroupName": found["logGroupName"], "FilterName": found["filterName"]}
        truth |= {"FilterPattern": found["filterPattern"], **self.seen(found)}
        defaults = {"FilterName": made.physical_id, "Distribution": "ByLogStream", "ApplyOnTransformedLogs": False}
        return observed(properties, truth, defaults=defaults)

    def said(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """What is particular about the filter, as the API has it."""
        raise NotImplementedError

    def seen(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """The other way round."""
        raise NotImplementedError

    async def _put(self, call: Caller, name: str, properties: Mapping[str, Any]) -> None:
        place = {"logGroupName": properties["LogGroupName"], "filterName": name}
        pattern = properties["FilterPattern"]
        await call("logs", f"Put{self.operation}", **place, filterPattern=pattern, **self.said(properties))

    async def _find(self, call: Caller, name: str, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        place = {"logGroupName": properties["LogGroupName"], "filterNamePrefix": name}
        reply = await call.unless(GONE, "logs", f"Describe{self.operation}s", **place)
        found = () if reply is None else reply.get(self.member, ())
        return next((one for one in found if one["filterName"] == name), None)


class SubscriptionFilter(_Filter):
    name = "AWS::Logs::SubscriptionFilter"
    operation = "SubscriptionFilter"
    member = "subscriptionFilters"
    schema = fields(
        "DestinationArn FilterPattern LogGroupName",
        ApplyOnTransformedLogs=BOOLEAN,
        DestinationArn=STRING,
        Distribution=STRING,
        EmitSystemFields=STRINGS,
        FieldSelectionCriteria=STRING,
        FilterName=STRING,
        FilterPattern=STRING,
        LogGroupName=STRING,
        RoleArn=STRING,
    )

    async def _put(self, call: Caller, name: str, properties: Mapping[str, Any]) -> None:
        """A function whose permission the same template makes may not have it yet, so that is waited for, as in AWS."""
        for pause_s in _PAUSES_S:
            try:
                await super()._put(call, name, properties)
            except ServiceError as error:
                if error.code != _NOT_YET:
                    raise
            else:
                return
            async with call.waiting():
                await asyncio.sleep(pause_s)
        await super()._put(call, name, properties)

    def said(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {theirs: properties[mine] for mine, theirs in _SUBSCRIBED.items() if mine in properties}

    def seen(self, found: Mapping[str, Any]) -> dict[str, Any]:
        return {mine: found.get(theirs) for mine, theirs in _SUBSCRIBED.items()}


class MetricFilter(_Filter):
    name = "AWS::Logs::MetricFilter"
    operation = "MetricFilter"
    member = "metricFilters"
    schema = fields(
        "FilterPattern LogGroupName MetricTransformations",
        ApplyOnTransformedLogs=BOOLEAN,
        EmitSystemFieldDimensions=STRINGS,
        FieldSelectionCriteria=STRING,
        FilterName=STRING,
        FilterPattern=STRING,
        LogGroupName=STRING,
        MetricTransformations=Items(
            fields(
                "MetricName MetricNamespace MetricValue",
                DefaultValue=NUMBER,
                Dimensions=TAGS,
                MetricName=STRING,
                MetricNamespace=STRING,
                MetricValue=STRING,
                Unit=STRING,
            )
        ),
    )

    def said(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        said = {theirs: properties[mine] for mine, theirs in _MEASURING.items() if mine in properties}
        return said | {"metricTransformations": [_measure(one) for one in properties["MetricTransformations"]]}

    def seen(self, found: Mapping[str, Any]) -> dict[str, Any]:
        seen = {mine: found.get(theirs) for mine, theirs in _MEASURING.items()}
        return seen | {"MetricTransformations": [_measured(one) for one in found["metricTransformations"]]}


def _measure(given: Mapping[str, Any]) -> dict[str, Any]:
    """A transformation of a template in the form of the API."""
    said = {name[0].lower() + name[1:]: value for name, value in given.items() if name != "Dimensions"}
    if given.get("Dimensions"):
        said["dimensions"] = {one["Key"]: one["Value"] for one in given["Dimensions"]}
    return said


def _measured(found: Mapping[str, Any]) -> dict[str, Any]:
    """The other way round, without the unit that nobody asked for."""
    seen = {name[0].upper() + name[1:]: value for name, value in found.items() if name != "dimensions"}
    if found.get("dimensions"):
        seen["Dimensions"] = [{"Key": key, "Value": value} for key, value in found["dimensions"].items()]
    if seen.get("Unit") == "None":
        del seen["Unit"]
    return seen
