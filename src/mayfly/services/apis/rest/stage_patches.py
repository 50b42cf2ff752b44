"""Patches of stages, which have paths for the settings of any method. Pure; `ServiceError`."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from mayfly.services.apis.rest import checks, faults
from mayfly.services.apis.rest.model import Canary, MethodSetting, Stage
from mayfly.services.apis.rest.patching import Patch, boolean, integer, number
from mayfly.services.contract import ServiceError

_LEVELS = ("OFF", "ERROR", "INFO")
_STRATEGIES = ("FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER")
SIZES = ("0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237")


def _one_of(choices: Sequence[str], what: str) -> Callable[[str | None], str]:
    def convert(value: str | None) -> str:
        if value is None or value not in choices:
            raise faults.bad_request(f"Invalid {what} specified. Must be one of: [{', '.join(choices)}]")
        return value

    return convert


def _ttl(value: str | None) -> int:
    found: int = integer("ttlInSeconds")(value)
    if not 0 <= found <= 3600:
        raise faults.bad_request("Cache TTL must be between 0 and 3600 seconds")
    return found


_CONVERT: Mapping[str, tuple[str, Callable[[str | None], Any]]] = MappingProxyType(
    {
        "metrics/enabled": ("metricsEnabled", boolean),
        "logging/dataTrace": ("dataTraceEnabled", boolean),
        "logging/loglevel": ("loggingLevel", _one_of(_LEVELS, "logging level")),
        "throttling/burstLimit": ("throttlingBurstLimit", integer("burstLimit")),
        "throttling/rateLimit": ("throttlingRateLimit", number("rateLimit")),
        "caching/enabled": ("cachingEnabled", boolean),
        "caching/ttlInSeconds": ("cacheTtlInSeconds", _ttl),
        "caching/dataEncrypted": ("cacheDataEncrypted", boolean),
        "caching/requireAuthorizationForCacheControl": ("requireAuthorizationForCacheControl", boolean),
        "caching/unauthorizedCacheControlHeaderStrategy": (
            "unauthorizedCacheControlHeaderStrategy",
            _one_of(_STRATEGIES, "cache control strategy"),
        ),
    }
)


def _choices() -> str:
    """All paths, as AWS lists them."""
    rest = (
        "throttling/burstLimit{0}throttling/rateLimit{1}caching/ttlInSeconds, {2}caching/enabled, "
        "{2}caching/dataEncrypted, "
        "{2}caching/requireAuthorizationForCacheControl, {2}caching/unauthorizedCacheControlHeaderStrategy"
    )
    one, every = "/{resourcePath}/{httpMethod}/", "/*/*/"
    parts = ["/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId"]
    parts += ["/accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format"]
    for base, gap in ((one, ""), (every, " ")):
        parts += [f"{base}metrics/enabled, {base}logging/dataTrace, {base}logging/loglevel"]
        parts += [f"{base}{rest.format(gap + base, gap + base, base)}"]
    return ", ".join([*parts, "/variables/{variable_name}, /tracingEnabled"])


_CHOICES = _choices()


def patched(stage: Stage, asked: Sequence[Patch]) -> Stage:
    """The stage, patched. Whether deployments exist is for the caller to see."""
    members: dict[str, Any] = msgspec.to_builtins(stage)
    for patch in asked:
        _apply(members, patch)
    changed = msgspec.convert(members, Stage)
    checks.variables(changed.variables or {})
    return changed


def _apply(members: dict[str, Any], patch: Patch) -> None:
    names = patch.names
    if patch.op == "copy":
        _copy(members, patch)
        return
    simple = _SIMPLE.get(patch.path)
    if simple is not None and patch.op != "add":
        members[simple[0]] = simple[1](patch.value) if patch.op == "replace" else None
    elif names[0] == "variables" and len(names) == 2:
        _entry(members, "variables", names[1], patch)
    elif names[0] == "accessLogSettings":
        _access_log(members, patch)
    elif names[0] == "canarySettings":
        _canary(members, patch)
    elif "/".join(names[-2:]) in _CONVERT and len(names) >= 4 and patch.op != "remove":
        _setting(members, patch)
    elif patch.op == "remove":
        _remove(members, patch)
    else:
        raise _unknown(patch)


_SIMPLE: Mapping[str, tuple[str, Callable[[str | None], Any]]] = MappingProxyType(
    {
        "/deploymentId": ("deploymentId", lambda value: value or ""),
        "/description": ("description", lambda value: value),
        "/cacheClusterEnabled": ("cacheClusterEnabled", boolean),
        "/cacheClusterSize": ("cacheClusterSize", _one_of(SIZES, "cache cluster size")),
        "/clientCertificateId": ("clientCertificateId", lambda value: value or None),
        "/tracingEnabled": ("tracingEnabled", boolean),
        "/documentationVersion": ("documentationVersion", lambda value: value or None),
    }
)


def _entry(members: dict[str, Any], member: str, key: str, patch: Patch) -> None:
    held = dict(members.get(member) or {})
    if patch.op == "remove":
        held.pop(key, None)
    else:
        held[key] = patch.value or ""
    members[member] = held or None


def _access_log(members: dict[str, Any], patch: Patch) -> None:
    names = patch.names
    held = dict(members.get("accessLogSettings") or {})
    if names == ("accessLogSettings",) and patch.op == "remove":
        members["accessLogSettings"] = None
    elif len(names) == 2 and names[1] in ("destinationArn", "format") and patch.op != "remove":
        if not patch.value:
            raise faults.bad_request("Access Log value must not be empty")
        held[names[1]] = patch.value
        members["accessLogSettings"] = held
    elif patch.op == "remove":
        raise _nothing(patch)
    else:
        raise faults.bad_request(
            "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, "
            "/accessLogSettings/format]"
        )


def _canary(members: dict[str, Any], patch: Patch) -> None:
    names = patch.names
    held = dict(members.get("canarySettings") or {})
    path = "/".join(names[1:])
    if patch.op == "remove" and not path:
        members["canarySettings"] = None
        return
    if len(names) == 3 and names[1] == "stageVariableOverrides":
        _entry(held, "stageVariableOverrides", names[2], patch)
    elif patch.op == "remove":
        raise _nothing(patch)
    elif path not in ("deploymentId", "percentTraffic", "useStageCache"):
        raise _unknown(patch)
    elif patch.op != "replace":
        raise faults.bad_request(f"Invalid {patch.op} operation with path: {patch.path}")
    elif path == "percentTraffic":
        held["percentTraffic"] = number("percentTraffic")(patch.value)
    else:
        held[path] = boolean(patch.value) if path == "useStageCache" else patch.value or ""
    usual = {"percentTraffic": 0.0, "deploymentId": members["deploymentId"], "useStageCache": False}
    members["canarySettings"] = {**usual, **held}
    canary(msgspec.convert(members["canarySettings"], Canary))


def canary(value: Canary) -> None:
    if not 0.0 <= value.percent_traffic <= 100.0:
        raise faults.bad_request("Canary percent traffic must be between 0.0 and 100.0")


def _setting(members: dict[str, Any], patch: Patch) -> None:
    """One setting of a method, or of all. A method that had none starts with those of all."""
    raw = patch.path.split("/")[1:]
    key, (member, convert) = "/".join(raw[:-2]), _CONVERT["/".join(patch.names[-2:])]
    settings = dict(members.get("methodSettings") or {})
    usual = settings.get(key) or settings.get("*/*") or msgspec.to_builtins(MethodSetting())
    settings[key] = {**usual, member: convert(patch.value)}
    members["methodSettings"] = settings


def _remove(members: dict[str, Any], patch: Patch) -> None:
    """All settings of a method."""
    settings = dict(members.get("methodSettings") or {})
    if settings.pop(patch.path.removeprefix("/"), None) is None:
        raise _nothing(patch)
    members["methodSettings"] = settings


def _copy(members: dict[str, Any], patch: Patch) -> None:
    """Promote a canary."""
    allowed = {"/deploymentId": "/canarySettings/deploymentId", "/variables": "/canarySettings/stageVariableOverrides"}
    if allowed.get(patch.path) != patch.source:
        raise faults.bad_request(
            f"Invalid copy operation with path: {patch.path} and from {patch.source}. Valid copy:path are "
            "[/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, "
            "/canarySettings/stageVariableOverrides]"
        )
    held = members.get("canarySettings")
    if held is None:
        raise faults.bad_request("Promotion not available. Canary does not exist.")
    if patch.path == "/deploymentId":
        members["deploymentId"] = held["deploymentId"]
    else:
        merged = {**(members.get("variables") or {}), **(held.get("stageVariableOverrides") or {})}
        members["variables"] = merged or None


def _nothing(patch: Patch) -> ServiceError:
    said = patch.path.removeprefix("/")
    return faults.bad_request(
        f"Cannot remove method setting {said} because there is no method setting for this method "
    )


def _unknown(patch: Patch) -> ServiceError:
    return faults.bad_request(f"Invalid method setting path: {patch.path}. Must be one of: [{_CHOICES}]")
