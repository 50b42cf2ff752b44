"""AWS::Lambda::Alias: a name for a version, with weights and with instances kept ready where that is asked for.

With the update policy CodeDeployLambdaAliasUpdate, a new version takes over by a deployment; when that fails, so does
the update, and the stack goes back.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import UPDATE_POLICY, Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.lambda_ import shifting
from mayfly.services.stacks.resources.lambda_.provisioned import PROVISIONED, set_provisioned
from mayfly.services.stacks.resources.reading import in_order, observed
from mayfly.services.stacks.resources.schema import NUMBER, STRING, Items, fields

_GONE = "ResourceNotFoundException"
_UNPROVISIONED = "ProvisionedConcurrencyConfigNotFoundException ResourceNotFoundException"


class Alias:
    name = "AWS::Lambda::Alias"
    schema = fields(
        "FunctionName FunctionVersion Name",
        FunctionName=STRING,
        FunctionVersion=STRING,
        Name=STRING,
        Description=STRING,
        RoutingConfig=fields(
            AdditionalVersionWeights=Items(
                fields("FunctionVersion FunctionWeight", FunctionVersion=STRING, FunctionWeight=NUMBER)
            )
        ),
        ProvisionedConcurrencyConfig=PROVISIONED,
        **{UPDATE_POLICY: shifting.SCHEMA},
    )
    replaced_by = frozenset({"FunctionName", "Name"})
    attributes = frozenset({"AliasArn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        function = properties["FunctionName"]
        if not function.startswith("arn:"):
            function = f"arn:aws:lambda:{target.region}:{target.account}:function:{function}"
        return f"{function}:{properties['Name']}"

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None  # its name is free again in every other function

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await call.unless(_GONE, "lambda", "GetAlias", **_named(properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        wanted = _parameters(properties)
        made = await call.unless("ResourceConflictException", "lambda", "CreateAlias", **wanted)
        if made is None:
            made = await call("lambda", "UpdateAlias", **wanted)
        await self._provision(call, {}, properties)
        return Made(made["AliasArn"], {"AliasArn": made["AliasArn"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._shift(call, old, new)
        await call("lambda", "UpdateAlias", **_parameters(new))
        await self._provision(call, old, new)
        return made

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(_GONE, "lambda", "GetAlias", **_named(properties))
        if found is None:
            return None
        weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        given = properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", ())
        routed = [{"FunctionVersion": version, "FunctionWeight": weight} for version, weight in weights.items()]
        truth = {
            "FunctionVersion": found["FunctionVersion"],
            "Description": found.get("Description"),
            "RoutingConfig": {"AdditionalVersionWeights": in_order(given, routed, lambda one: one["FunctionVersion"])},
        }
        named = {"FunctionName": properties["FunctionName"], "Qualifier": properties["Name"]}
        ready = await call.unless(_UNPROVISIONED, "lambda", "GetProvisionedConcurrencyConfig", **named)
        if ready is not None:
            wanted = ready["RequestedProvisionedConcurrentExecutions"]
            truth["ProvisionedConcurrencyConfig"] = {"ProvisionedConcurrentExecutions": wanted}
        nothing = {"Description": "", "RoutingConfig": {"AdditionalVersionWeights": []}}
        return observed(properties, truth, "FunctionName", "Name", UPDATE_POLICY, defaults=nothing)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(_GONE, "lambda", "DeleteAlias", **_named(properties))

    async def _shift(self, call: Caller, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """By steps to a new version where the template wants that; what is taken back goes at once."""
        if call.back:
            if (policy := old.get(UPDATE_POLICY, {}).get(shifting.POLICY)) is not None:
                await shifting.stop(call, policy, old["FunctionName"], old["Name"])
            return
        policy = new.get(UPDATE_POLICY, {}).get(shifting.POLICY)
        if policy is not None and changed(old, new, "FunctionVersion"):
            await shifting.shift(call, policy, new["FunctionName"], new["Name"], new["FunctionVersion"])

    async def _provision(self, call: Caller, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Provision anew also where only the version is another one, to wait for its instances."""
        if changed(old, new, "ProvisionedConcurrencyConfig", "FunctionVersion"):
            wanted = new.get("ProvisionedConcurrencyConfig")
            if wanted is not None or "ProvisionedConcurrencyConfig" in old:
                await set_provisioned(call, new["FunctionName"], new["Name"], wanted)


def _named(properties: Mapping[str, Any]) -> dict[str, Any]:
    return picked(properties, "FunctionName", "Name")


def _parameters(properties: Mapping[str, Any]) -> dict[str, Any]:
    """In the API's words, with the defaults of what a template leaves out."""
    weights = properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", ())
    return {
        **_named(properties),
        "FunctionVersion": properties["FunctionVersion"],
        "Description": properties.get("Description", ""),
        "RoutingConfig": {
            "AdditionalVersionWeights": {each["FunctionVersion"]: each["FunctionWeight"] for each in weights}
        },
    }
