"""From requests about policies to their configurations: pure, and all the refusals."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from mayfly.services.autoscaling import faults
from mayfly.services.autoscaling.model import METRIC, StepAdjustment, Stepped, Tracked

_CUSTOM = ("AWS/Lambda", "ProvisionedConcurrencyUtilization")


def tracked(config: Mapping[str, Any], function: str, qualifier: str) -> Tracked:
    """Of a target tracking policy; `ServiceError` for a metric that is not the engine's own."""
    target = float(config["TargetValue"])
    predefined, customized = config.get("PredefinedMetricSpecification"), config.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        raise faults.validation(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification has to be given."
        )
    if predefined is not None and predefined["PredefinedMetricType"] != METRIC:
        raise faults.validation(
            f"{predefined['PredefinedMetricType']} is no metric of provisioned concurrency: {METRIC} is."
        )
    if customized is not None:
        _check_custom(customized, function, qualifier)
    if not 0.1 <= target <= 0.9:
        raise faults.validation(
            f"TargetValue is the used part of the provisioned concurrency, from 0.1 to 0.9, not {target:g}."
        )
    return Tracked(
        target,
        config.get("ScaleOutCooldown"),
        config.get("ScaleInCooldown"),
        config.get("DisableScaleIn"),
        dict(customized) if customized is not None else None,
    )


def _check_custom(metric: Mapping[str, Any], function: str, qualifier: str) -> None:
    """The utilization of the very same version or alias may be named as a metric of CloudWatch's."""
    named = (metric.get("Namespace"), metric.get("MetricName"))
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", ())}
    own = {"FunctionName": function, "Resource": f"{function}:{qualifier}"}
    if named != _CUSTOM or any(own.get(name) != value for name, value in dimensions.items()):
        raise faults.validation(
            "A CustomizedMetricSpecification can name ProvisionedConcurrencyUtilization of AWS/Lambda for the same "
            "function and qualifier; any other metric scales by an alarm and a policy of the type StepScaling."
        )


def stepped(config: Mapping[str, Any]) -> Stepped:
    """Of a step scaling policy."""
    if "AdjustmentType" not in config:
        raise faults.validation("AdjustmentType has to be given for a policy of the type StepScaling.")
    steps = tuple(
        StepAdjustment(
            one["ScalingAdjustment"], one.get("MetricIntervalLowerBound"), one.get("MetricIntervalUpperBound")
        )
        for one in config.get("StepAdjustments", ())
    )
    if not steps:
        raise faults.validation("A step policy must have at least one StepAdjustment.")
    _check_steps(steps)
    return Stepped(
        config["AdjustmentType"],
        steps,
        config.get("MinAdjustmentMagnitude"),
        config.get("Cooldown"),
        config.get("MetricAggregationType"),
    )


def _check_steps(steps: tuple[StepAdjustment, ...]) -> None:
    """Intervals neither overlap nor leave a gap, and only one is open below and one above."""
    infinity = float("inf")
    found = sorted((-infinity if s.lower is None else s.lower, infinity if s.upper is None else s.upper) for s in steps)
    for lower, upper in found:
        if not lower < upper:
            raise faults.validation("The upper bound of a step must be greater than its lower bound.")
    for (_, before), (following, _) in pairwise(found):
        if before != following:
            raise faults.validation("Step adjustments must neither overlap nor have a gap between them.")


def shown_tracked(config: Tracked) -> dict[str, Any]:
    shown: dict[str, Any] = {"TargetValue": config.target}
    if config.customized is None:
        shown["PredefinedMetricSpecification"] = {"PredefinedMetricType": METRIC}
    else:
        shown["CustomizedMetricSpecification"] = config.customized
    members = (("ScaleOutCooldown", config.out_cooldown_s), ("ScaleInCooldown", config.in_cooldown_s))
    shown |= {name: value for name, value in members if value is not None}
    return shown | ({"DisableScaleIn": config.disable_in} if config.disable_in is not None else {})


def shown_stepped(config: Stepped) -> dict[str, Any]:
    steps = []
    for one in config.steps:
        bounds = (("MetricIntervalLowerBound", one.lower), ("MetricIntervalUpperBound", one.upper))
        steps.append(
            {"ScalingAdjustment": one.adjustment, **{name: value for name, value in bounds if value is not None}}
        )
    shown: dict[str, Any] = {"AdjustmentType": config.kind, "StepAdjustments": steps}
    members = (
        ("MinAdjustmentMagnitude", config.least_magnitude),
        ("Cooldown", config.cooldown_s),
        ("MetricAggregationType", config.aggregation),
    )
    return shown | {name: value for name, value in members if value is not None}
