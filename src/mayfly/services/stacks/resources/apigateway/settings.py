"""What stages are told in templates, by themselves and by the deployment that brings one. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import Patch, entries, said, scalars
from mayfly.services.stacks.resources.schema import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    TAGS,
    Entries,
    Items,
    Schema,
    fields,
)

CANARY_OVERRIDES = Entries(STRING)
_METHOD = {
    "CacheDataEncrypted": ("caching/dataEncrypted", BOOLEAN),
    "CacheTtlInSeconds": ("caching/ttlInSeconds", INTEGER),
    "CachingEnabled": ("caching/enabled", BOOLEAN),
    "DataTraceEnabled": ("logging/dataTrace", BOOLEAN),
    "LoggingLevel": ("logging/loglevel", STRING),
    "MetricsEnabled": ("metrics/enabled", BOOLEAN),
    "ThrottlingBurstLimit": ("throttling/burstLimit", INTEGER),
    "ThrottlingRateLimit": ("throttling/rateLimit", NUMBER),
}
_SETTINGS: dict[str, Schema] = {name: schema for name, (_, schema) in _METHOD.items()}
METHOD_SETTINGS = Items(fields("", HttpMethod=STRING, ResourcePath=STRING, **_SETTINGS))
CANARY = fields(
    DeploymentId=STRING, PercentTraffic=NUMBER, StageVariableOverrides=CANARY_OVERRIDES, UseStageCache=BOOLEAN
)
OWN: dict[str, Schema] = {
    "AccessLogSetting": fields(DestinationArn=STRING, Format=STRING),
    "CacheClusterEnabled": BOOLEAN,
    "CacheClusterSize": STRING,
    "ClientCertificateId": STRING,
    "Description": STRING,
    "DocumentationVersion": STRING,
    "MethodSettings": METHOD_SETTINGS,
    "Tags": TAGS,
    "TracingEnabled": BOOLEAN,
    "Variables": Entries(STRING),
}
# A StageDescription has the canary under another schema, and settings of all methods beside the rest.
STAGE: dict[str, Schema] = {
    **OWN,
    **_SETTINGS,
    "CanarySetting": fields(PercentTraffic=NUMBER, StageVariableOverrides=CANARY_OVERRIDES, UseStageCache=BOOLEAN),
}
_PATHS = {
    "DeploymentId": "/deploymentId",
    "Description": "/description",
    "CacheClusterEnabled": "/cacheClusterEnabled",
    "CacheClusterSize": "/cacheClusterSize",
    "ClientCertificateId": "/clientCertificateId",
    "DocumentationVersion": "/documentationVersion",
    "TracingEnabled": "/tracingEnabled",
}
_DEFAULTS = {"CacheClusterEnabled": "false", "TracingEnabled": "false"}


def key_of(setting: Mapping[str, Any]) -> str:
    """Under which a stage keeps the settings of a method."""
    path = setting.get("ResourcePath", "/*").removeprefix("/") or "~1"
    return f"{path}/{setting.get('HttpMethod', '*')}"


def stage_patches(old: Mapping[str, Any], new: Mapping[str, Any], known: Collection[str] | None = None) -> list[Patch]:
    """All but tags. `known`: the methods that the stage has settings of; None: those of `old`."""
    found = scalars(old, new, _PATHS, _DEFAULTS)
    found += entries(old.get("Variables"), new.get("Variables"), "/variables", "replace")
    found += _access_log(old.get("AccessLogSetting"), new.get("AccessLogSetting"))
    found += _canary(old.get("CanarySetting"), new.get("CanarySetting"))
    before = {key_of(one): one for one in old.get("MethodSettings", ())}
    after = {key_of(one): one for one in new.get("MethodSettings", ())}
    for key, setting in before.items():
        if setting != after.get(key) and (known is None or key in known):
            found.append({"op": "remove", "path": f"/{key}"})
    for key, setting in after.items():
        if setting != before.get(key):
            found += [
                {"op": "replace", "path": f"/{key}/{path}", "value": said(setting[name])}
                for name, (path, _) in _METHOD.items()
                if name in setting
            ]
    return found


def _access_log(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Patch]:
    if old == new:
        return []
    found: list[Patch] = [{"op": "remove", "path": "/accessLogSettings"}] if old else []
    names = {"DestinationArn": "destinationArn", "Format": "format"}
    for name, path in names.items():
        if new and name in new:
            found.append({"op": "replace", "path": f"/accessLogSettings/{path}", "value": new[name]})
    return found


def _canary(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Patch]:
    if old == new:
        return []
    found: list[Patch] = [{"op": "remove", "path": "/canarySettings"}] if old else []
    names = {"DeploymentId": "deploymentId", "PercentTraffic": "percentTraffic", "UseStageCache": "useStageCache"}
    for name, path in names.items():
        if new and name in new:
            found.append({"op": "replace", "path": f"/canarySettings/{path}", "value": said(new[name])})
    overrides = new.get("StageVariableOverrides", {}) if new else {}
    return found + entries({}, overrides, "/canarySettings/stageVariableOverrides", "replace")


def seen(found: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a stage as it stands, in the template's form, without what it fills in by itself."""
    shown: dict[str, Any] = {
        "Description": found.get("description"),
        "CacheClusterEnabled": found["cacheClusterEnabled"],
        "CacheClusterSize": found.get("cacheClusterSize"),
        "ClientCertificateId": found.get("clientCertificateId"),
        "DocumentationVersion": found.get("documentationVersion"),
        "TracingEnabled": found["tracingEnabled"],
        "Variables": found.get("variables"),
    }
    log = found.get("accessLogSettings")
    if log:
        names = {"destinationArn": "DestinationArn", "format": "Format"}
        shown["AccessLogSetting"] = {names[name]: value for name, value in log.items()}
    canary = found.get("canarySettings")
    if canary:
        wanted = given.get("CanarySetting", {})
        all_of_it = {
            "DeploymentId": canary["deploymentId"],
            "PercentTraffic": canary["percentTraffic"],
            "UseStageCache": canary["useStageCache"],
            "StageVariableOverrides": canary.get("stageVariableOverrides"),
        }
        shown["CanarySetting"] = {name: all_of_it[name] for name in wanted} or all_of_it
    shown["MethodSettings"] = _methods(found.get("methodSettings", {}), given.get("MethodSettings", ())) or None
    return shown


_WIRE = {
    "CacheDataEncrypted": "cacheDataEncrypted",
    "CacheTtlInSeconds": "cacheTtlInSeconds",
    "CachingEnabled": "cachingEnabled",
    "DataTraceEnabled": "dataTraceEnabled",
    "LoggingLevel": "loggingLevel",
    "MetricsEnabled": "metricsEnabled",
    "ThrottlingBurstLimit": "throttlingBurstLimit",
    "ThrottlingRateLimit": "throttlingRateLimit",
}


def _methods(found: Mapping[str, Any], given: Any) -> list[dict[str, Any]]:
    """In the order of the template, with the members that it has; those that it has not whole, and last."""
    shown, left = [], dict(found)
    for setting in given:
        one = left.pop(key_of(setting), None)
        if one is not None:
            shown.append({name: one.get(_WIRE[name]) if name in _WIRE else setting[name] for name in setting})
    for key, one in left.items():
        path, _, verb = key.rpartition("/")
        settings = {name: one[wire] for name, wire in _WIRE.items() if wire in one}
        shown.append({"ResourcePath": f"/{path}", "HttpMethod": verb, **settings})
    return shown
