"""The AppSpec of a deployment: which alias goes from which version to which, and which functions are asked. Pure.

YAML or JSON, as AWS documents it for the compute platform Lambda. A section of Mayfly's own says what CodeDeploy has no
word for, and is ignored there:

    Mayfly:
      MaxErrors: 1%          # failed calls of the new version, of all that it got
      MaxLatencyMs: 250      # the 95th percentile of their durations
      Shift: {Kind: canary, Percent: 10, EverySeconds: 30}   # in place of the deployment configuration
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import yaml

from mayfly.policy.rollouts import Kind, Limits, Shape, checked
from mayfly.services.functions.rollouts import faults

MAX_BYTES: Final = 100 * 1024
HOOKS: Final = ("BeforeAllowTraffic", "AfterAllowTraffic")
OWN: Final = "Mayfly"
NO_LIMITS: Final = Limits()
_KINDS: Final = ("canary", "linear", "all-at-once")
_PROPERTIES: Final = ("Name", "Alias", "CurrentVersion", "TargetVersion")


@dataclass(frozen=True, slots=True)
class AppSpec:
    """What an AppSpec says."""

    function: str  # a name
    alias: str
    old: str
    new: str
    before: str | None = None  # functions
    after: str | None = None
    limits: Limits = NO_LIMITS
    shape: Shape | None = None  # None: as the configuration says


def parse(text: str) -> AppSpec:
    """`ServiceError` InvalidRevisionException for what is none."""
    content = _read(text)
    if str(content.get("version")) not in ("0.0", "0"):
        raise faults.invalid_revision("The AppSpec file has no version, or not 0.0.")
    properties = _target(content.get("Resources", content.get("resources")))
    hooks = _hooks(content.get("Hooks", content.get("hooks")) or [])
    own = content.get(OWN) or {}
    if not isinstance(own, dict) or set(own) - {"MaxErrors", "MaxLatencyMs", "Shift"}:
        raise faults.invalid_revision(f"The section {OWN} knows MaxErrors, MaxLatencyMs and Shift.")
    try:
        limits = Limits(_part(own.get("MaxErrors")), _milliseconds(own.get("MaxLatencyMs")))
        shape = _shape(own["Shift"]) if own.get("Shift") else None
    except KeyError as error:
        raise faults.invalid_revision(f"The section {OWN} lacks {error} of its Shift.") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise faults.invalid_revision(f"The section {OWN} is wrong: {error}.") from error
    return AppSpec(
        properties["Name"],
        properties["Alias"],
        properties["CurrentVersion"],
        properties["TargetVersion"],
        hooks.get("BeforeAllowTraffic"),
        hooks.get("AfterAllowTraffic"),
        limits,
        shape,
    )


def _read(text: str) -> Mapping[str, Any]:
    if len(text.encode()) > MAX_BYTES:
        raise faults.invalid_revision(f"The AppSpec file is larger than {MAX_BYTES} bytes.")
    try:
        # An alias can make a small text a large value; no AppSpec needs one.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise faults.invalid_revision("The AppSpec file must not use YAML aliases.")
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise faults.invalid_revision("The AppSpec file could not be parsed as JSON or YAML.") from error
    if not isinstance(content, dict):
        raise faults.invalid_revision("The AppSpec file is not an object.")
    return content


def _target(resources: Any) -> dict[str, str]:
    if not isinstance(resources, list) or len(resources) != 1 or not isinstance(resources[0], dict):
        raise faults.invalid_revision("The AppSpec file must name exactly one resource.")
    for resource in resources[0].values():
        if isinstance(resource, dict) and resource.get("Type", resource.get("type")) == "AWS::Lambda::Function":
            found = resource.get("Properties", resource.get("properties"))
            if not isinstance(found, dict):
                raise faults.invalid_revision("The resource has no Properties.")
            named = {str(key).lower(): value for key, value in found.items()}
            values = {name: str(named.get(name.lower(), "")) for name in _PROPERTIES}
            if missing := [name for name, value in values.items() if not value]:
                raise faults.invalid_revision(f"The resource lacks {', '.join(missing)}.")
            return values
    raise faults.invalid_revision("The resource must be of the type AWS::Lambda::Function.")


def _hooks(given: Any) -> dict[str, str]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise faults.invalid_revision("Hooks must be a list of objects.")
    found = {str(name): str(function) for each in given for name, function in each.items()}
    if unknown := sorted(set(found) - set(HOOKS)):
        raise faults.invalid_revision(f"There is no lifecycle event {unknown[0]}; there are {' and '.join(HOOKS)}.")
    return found


def _part(given: Any) -> float | None:
    """0.01 for "1%" or 0.01; ValueError."""
    if given is None:
        return None
    part = float(given.removesuffix("%")) / 100 if isinstance(given, str) and given.endswith("%") else float(given)
    if not 0 <= part <= 1:
        raise ValueError(f"MaxErrors is a part of the calls, 0% to 100%, not {given}")
    return part


def _milliseconds(given: Any) -> float | None:
    if given is None:
        return None
    if not 0 < float(given) <= 900_000:
        raise ValueError(f"MaxLatencyMs lies between 0 and 900000, not at {given}")
    return float(given)


def _shape(given: Any) -> Shape:
    if not isinstance(given, dict):
        raise ValueError("Shift has Kind, Percent and EverySeconds")
    kind = str(given.get("Kind"))
    if kind not in _KINDS:
        raise ValueError(f"Shift knows {', '.join(_KINDS)}, not {kind}")
    if kind == "all-at-once":
        return Shape("all-at-once")
    return checked(Shape(cast("Kind", kind), float(given["Percent"]), float(given["EverySeconds"])))
