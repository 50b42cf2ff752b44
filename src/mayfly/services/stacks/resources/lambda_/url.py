"""AWS::Lambda::Url: the URL of a function."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.reading import like, observed
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, STRING, STRINGS, fields


class Url:
    name = "AWS::Lambda::Url"
    schema = fields(
        "AuthType TargetFunctionArn",
        TargetFunctionArn=STRING,
        Qualifier=STRING,
        AuthType=STRING,
        InvokeMode=STRING,
        Cors=fields(
            AllowCredentials=BOOLEAN,
            AllowHeaders=STRINGS,
            AllowMethods=STRINGS,
            AllowOrigins=STRINGS,
            ExposeHeaders=STRINGS,
            MaxAge=INTEGER,
        ),
    )
    replaced_by = frozenset({"TargetFunctionArn", "Qualifier"})
    attributes = frozenset({"FunctionArn", "FunctionUrl"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties["TargetFunctionArn"])

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        found = await call.unless(
            "ResourceNotFoundException", "lambda", "GetFunctionUrlConfig", **_function(properties)
        )
        return found is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        reply = await call.unless(
            "ResourceConflictException", "lambda", "CreateFunctionUrlConfig", **_parameters(properties)
        )
        if reply is None:
            reply = await call("lambda", "GetFunctionUrlConfig", **_function(properties))
        return _made(reply)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return _made(await call("lambda", "UpdateFunctionUrlConfig", **{"Cors": {}} | _parameters(new)))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(
            "ResourceNotFoundException", "lambda", "GetFunctionUrlConfig", **_function(properties)
        )
        if found is None:
            return None
        truth = picked(found, "AuthType", "InvokeMode")
        if "Cors" in found:
            truth["Cors"] = like(properties.get("Cors", {}), found["Cors"])
        nothing = {"InvokeMode": "BUFFERED", "Cors": {}}
        return observed(properties, truth, "TargetFunctionArn", "Qualifier", defaults=nothing)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless("ResourceNotFoundException", "lambda", "DeleteFunctionUrlConfig", **_function(properties))


def _function(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Which function, in the API's words."""
    found = {"FunctionName": properties["TargetFunctionArn"]}
    return found | ({"Qualifier": properties["Qualifier"]} if "Qualifier" in properties else {})


def _parameters(properties: Mapping[str, Any]) -> dict[str, Any]:
    others = {name: value for name, value in properties.items() if name not in ("TargetFunctionArn", "Qualifier")}
    return _function(properties) | others


def _made(reply: Mapping[str, Any]) -> Made:
    return Made(reply["FunctionArn"], {"FunctionArn": reply["FunctionArn"], "FunctionUrl": reply["FunctionUrl"]})
