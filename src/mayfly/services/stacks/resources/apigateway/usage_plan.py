"""AWS::ApiGateway::UsagePlan: how much, and how often, the keys in it may ask which stages."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE, Patch, escaped, said, scalars
from mayfly.services.stacks.resources.apigateway.tagging import retag, tags_in
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import like, observed, tags_seen
from mayfly.services.stacks.resources.schema import INTEGER, NUMBER, STRING, TAGS, Entries, Items, fields

_THROTTLE = fields("", BurstLimit=INTEGER, RateLimit=NUMBER)
_STAGE = fields("", ApiId=STRING, Stage=STRING, Throttle=Entries(_THROTTLE))


class UsagePlan(Unnamed):
    name = "AWS::ApiGateway::UsagePlan"
    schema = fields(
        "",
        ApiStages=Items(_STAGE),
        Description=STRING,
        Quota=fields("", Limit=INTEGER, Offset=INTEGER, Period=STRING),
        Tags=TAGS,
        Throttle=_THROTTLE,
        UsagePlanName=STRING,
    )
    replaced_by: frozenset[str] = frozenset()
    attributes = frozenset({"Id"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        members: dict[str, Any] = {"name": properties.get("UsagePlanName", target.name(128))}
        if "Description" in properties:
            members["description"] = properties["Description"]
        for name in ("Quota", "Throttle"):
            if name in properties:
                members[name.lower()] = _lower(properties[name])
        stages = [
            {
                "apiId": one["ApiId"],
                "stage": one["Stage"],
                "throttle": {key: _lower(limits) for key, limits in one.get("Throttle", {}).items()},
            }
            for one in properties.get("ApiStages", ())
        ]
        made = await call.once(
            target, "apigateway", "CreateUsagePlan", **members, apiStages=stages, **tags_in(properties)
        )
        return Made(made["id"], {"Id": made["id"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        patches = scalars(old, new, {"Description": "/description"}, {"Description": ""})
        if new.get("UsagePlanName", old.get("UsagePlanName")) != old.get("UsagePlanName"):
            patches.append({"op": "replace", "path": "/name", "value": new["UsagePlanName"]})
        for name in ("Quota", "Throttle"):
            if old.get(name) != new.get(name):
                patches += _limits(name.lower(), new.get(name))
        found = await call("apigateway", "GetUsagePlan", usagePlanId=made.physical_id)
        if old.get("ApiStages") != new.get("ApiStages"):
            patches += _stages(found.get("apiStages", ()), new.get("ApiStages", ()))
        if patches:
            await call("apigateway", "UpdateUsagePlan", usagePlanId=made.physical_id, patchOperations=patches)
        await retag(call, target, f"/usageplans/{made.physical_id}", old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        found = await call.unless(GONE, "apigateway", "GetUsagePlan", usagePlanId=made.physical_id)
        if found is None:
            return
        patches = _stages(found.get("apiStages", ()), ())
        if patches:
            await call("apigateway", "UpdateUsagePlan", usagePlanId=made.physical_id, patchOperations=patches)
        await call.unless(GONE, "apigateway", "DeleteUsagePlan", usagePlanId=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetUsagePlan", usagePlanId=made.physical_id)
        if found is None:
            return None
        truth: dict[str, Any] = {"Description": found.get("description") or None, "UsagePlanName": found["name"]}
        for name in ("Quota", "Throttle"):
            if found.get(name.lower()):
                truth[name] = like(properties.get(name, {}), _upper(found[name.lower()])) or None
        truth["ApiStages"] = [
            {
                "ApiId": one["apiId"],
                "Stage": one["stage"],
                **(
                    {"Throttle": {key: _upper(two) for key, two in one["throttle"].items()}}
                    if "throttle" in one
                    else {}
                ),
            }
            for one in found.get("apiStages", ())
        ] or None
        return observed(properties, truth, defaults={"UsagePlanName": found["name"]}) | tags_seen(
            properties, found.get("tags", {})
        )


def _lower(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: value for name, value in given.items()}


def _upper(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name[0].upper() + name[1:]: value for name, value in found.items()}


def _limits(kind: str, after: Mapping[str, Any] | None) -> list[Patch]:
    """All of them anew: what is said no more is gone."""
    found: list[Patch] = [{"op": "remove", "path": f"/{kind}"}]
    for name, value in _lower(after or {}).items():
        found.append({"op": "replace", "path": f"/{kind}/{name}", "value": said(value)})
    return found


def _stages(there: Any, wanted: Any) -> list[Patch]:
    """From those that a plan has to those of the template."""
    found: list[Patch] = [
        {"op": "remove", "path": "/apiStages", "value": f"{one['apiId']}:{one['stage']}"} for one in there
    ]
    for one in wanted:
        place = f"{one['ApiId']}:{one['Stage']}"
        found.append({"op": "add", "path": "/apiStages", "value": place})
        for key, limits in one.get("Throttle", {}).items():
            for name, value in _lower(limits).items():
                path = f"/apiStages/{place}/throttle/{escaped(key.rpartition('/')[0])}/{key.rpartition('/')[2]}/{name}"
                found.append({"op": "replace", "path": path, "value": said(value)})
    return found
