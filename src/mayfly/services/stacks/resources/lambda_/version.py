"""AWS::Lambda::Version: a published version of a function, with instances kept ready where that is asked for.

Any change replaces it, but for that of a scaling configuration. Where nothing has changed since a version was
published, that version is taken over, as the API answers it; AWS refuses to deploy then, which leaves a template that
failed half-way once without a way forward.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, made_as, picked
from mayfly.services.stacks.resources.lambda_.provisioned import PROVISIONED, set_provisioned, until_active
from mayfly.services.stacks.resources.reading import like, observed
from mayfly.services.stacks.resources.schema import INTEGER, STRING, Refused, fields

_SCALING = "FunctionScalingConfig"
_UNPROVISIONED = "ProvisionedConcurrencyConfigNotFoundException ResourceNotFoundException"


class Version:
    name = "AWS::Lambda::Version"
    schema = fields(
        "FunctionName",
        FunctionName=STRING,
        CodeSha256=STRING,
        Description=STRING,
        ProvisionedConcurrencyConfig=PROVISIONED,
        RuntimePolicy=Refused("A version keeps the runtime management of its function."),
        FunctionScalingConfig=fields(MinExecutionEnvironments=INTEGER, MaxExecutionEnvironments=INTEGER),
    )
    replaced_by = frozenset(schema.members) - {_SCALING}
    attributes: frozenset[str] = frozenset({"Version", "FunctionArn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # a new number is nobody else's

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        function = properties["FunctionName"]
        published = await call(
            "lambda", "PublishVersion", FunctionName=function, **picked(properties, "CodeSha256", "Description")
        )
        version, arn = published["Version"], published["FunctionArn"]
        with made_as(arn):
            await until_active(call, function, version)
            if (wanted := properties.get("ProvisionedConcurrencyConfig")) is not None:
                await set_provisioned(call, function, version, wanted)
            await self._scale(call, function, version, {}, properties)
        return Made(arn, {"Version": version, "FunctionArn": arn})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._scale(call, new["FunctionName"], made.attributes["Version"], old, new)
        return made

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        named = {"FunctionName": properties["FunctionName"], "Qualifier": made.attributes["Version"]}
        gone = "ResourceNotFoundException"
        if await call.unless(gone, "lambda", "GetFunctionConfiguration", **named) is None:
            return None
        truth: dict[str, Any] = {}
        scaling = await call.unless(gone, "lambda", "GetFunctionScalingConfig", **named)
        if scaling is not None and (asked := scaling.get("RequestedFunctionScalingConfig")):
            truth[_SCALING] = like(properties.get(_SCALING, {}), asked)
        ready = await call.unless(_UNPROVISIONED, "lambda", "GetProvisionedConcurrencyConfig", **named)
        if ready is not None:
            wanted = ready["RequestedProvisionedConcurrentExecutions"]
            truth["ProvisionedConcurrencyConfig"] = {"ProvisionedConcurrentExecutions": wanted}
        unseen = set(properties) - {_SCALING, "ProvisionedConcurrencyConfig"}  # which cannot be changed
        return observed(properties, truth, *unseen, defaults={_SCALING: {}})

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        _, published, version = made.physical_id.rpartition(":")
        if not published:
            return
        await call.unless(
            "ResourceNotFoundException",
            "lambda",
            "DeleteFunction",
            FunctionName=properties["FunctionName"],
            Qualifier=version,
        )

    async def _scale(
        self, call: Caller, function: str, version: str, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        if changed(old, new, _SCALING):
            # Not waited for, because nothing says that instances cannot be made: the engine goes on trying.
            named = {"FunctionName": function, "Qualifier": version}
            await call("lambda", "PutFunctionScalingConfig", **named, FunctionScalingConfig=new.get(_SCALING, {}))
