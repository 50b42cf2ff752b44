"""AWS::Lambda::EventInvokeConfig: retries, age and destinations of asynchronous invocations."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.reading import like, observed
from mayfly.services.stacks.resources.schema import INTEGER, STRING, fields

_DESTINATION = fields("Destination", Destination=STRING)


class EventInvokeConfig:
    name = "AWS::Lambda::EventInvokeConfig"
    schema = fields(
        "FunctionName Qualifier",
        FunctionName=STRING,
        Qualifier=STRING,
        MaximumRetryAttempts=INTEGER,
        MaximumEventAgeInSeconds=INTEGER,
        DestinationConfig=fields(OnSuccess=_DESTINATION, OnFailure=_DESTINATION),
    )
    replaced_by = frozenset({"FunctionName", "Qualifier"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        found = await call.unless(
            "ResourceNotFoundException", "lambda", "GetFunctionEventInvokeConfig", **_function(properties)
        )
        return found is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await call("lambda", "PutFunctionEventInvokeConfig", **dict(properties))
        return Made(self.physical_id(target, properties))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await call("lambda", "PutFunctionEventInvokeConfig", **dict(new))
        return made

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(
            "ResourceNotFoundException", "lambda", "GetFunctionEventInvokeConfig", **_function(properties)
        )
        if found is None:
            return None
        truth = picked(found, "MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
        if "DestinationConfig" in truth:
            truth["DestinationConfig"] = like(properties.get("DestinationConfig", {}), truth["DestinationConfig"])
        return observed(properties, truth, "FunctionName", "Qualifier", defaults={"DestinationConfig": {}})

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(
            "ResourceNotFoundException", "lambda", "DeleteFunctionEventInvokeConfig", **_function(properties)
        )


def _function(properties: Mapping[str, Any]) -> dict[str, Any]:
    return picked(properties, "FunctionName", "Qualifier")
