"""From requests about capacity providers to what is stored, and back: pure, and all the refusals.

A provider is a part of this one machine, so what chooses, buys or joins other machines is refused, unless it asks for
what is so anyway. The network and the role that AWS's API demands are kept and shown, and have no effect.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.clock import iso_millis
from mayfly.services.functions import faults
from mayfly.services.functions.model import Architecture
from mayfly.services.functions.names import Home
from mayfly.services.functions.providers.model import Provider
from mayfly.services.functions.providers.names import arn_of

DEFAULT_CPUS = 400  # where a provider is created without a limit, as on AWS


def created(params: Mapping[str, Any], name: str, host: Architecture, now: float, tags: dict[str, str]) -> Provider:
    """The provider of a CreateCapacityProvider."""
    refuse(params, host)
    asked = params.get("CapacityProviderScalingConfig", {})
    return Provider(
        name,
        now,
        most_cpus=asked.get("MaxVCpuCount", DEFAULT_CPUS),
        subnets=tuple(params["VpcConfig"]["SubnetIds"]),
        security_groups=tuple(params["VpcConfig"]["SecurityGroupIds"]),
        operator_role=params["PermissionsConfig"]["CapacityProviderOperatorRoleArn"],
        tags=tags,
    )


def limit(params: Mapping[str, Any], before: int | None) -> int | None:
    """Of an UpdateCapacityProvider."""
    asked: int | None = params.get("CapacityProviderScalingConfig", {}).get("MaxVCpuCount", before)
    return asked


def refuse(params: Mapping[str, Any], host: Architecture) -> None:
    """`ServiceError` InvalidParameterValueException for what this machine cannot be."""
    requirements, scaling = params.get("InstanceRequirements", {}), params.get("CapacityProviderScalingConfig", {})
    if (asked := requirements.get("Architectures", [host])[0]) != host:
        raise faults.invalid_parameter(
            f"This machine, which is the only one, is {host}; a capacity provider with {asked} cannot be had."
        )
    if requirements.get("AllowedInstanceTypes") or requirements.get("ExcludedInstanceTypes"):
        raise faults.invalid_parameter("There are no instance types to choose from: the one machine is this one.")
    if scaling.get("ScalingMode", "Auto") != "Auto" or scaling.get("ScalingPolicies"):
        raise faults.invalid_parameter(
            "ScalingMode Manual and ScalingPolicies say when to add machines, and there is one. Leave them out: "
            "instances of functions start as calls need them, up to MaxVCpuCount."
        )
    if params.get("KmsKeyArn"):
        raise faults.invalid_parameter("KmsKeyArn is about disks of machines that are added, and there are none.")
    if params.get("PropagateTags", {}).get("Mode", "None") != "None":
        raise faults.invalid_parameter("PropagateTags is about machines that are added, and there are none.")
    if params.get("TelemetryConfig", {}).get("LoggingConfig"):
        raise faults.invalid_parameter("TelemetryConfig is about logs of machines that are added, and there are none.")


def shown(provider: Provider, home: Home, host: Architecture, *, state: str = "Active") -> dict[str, object]:
    """A `CapacityProvider`."""
    scaling: dict[str, object] = {"ScalingMode": "Auto"}
    if provider.most_cpus is not None:
        scaling["MaxVCpuCount"] = provider.most_cpus
    return {
        "CapacityProviderArn": arn_of(home, provider.name),
        "State": state,
        "VpcConfig": {"SubnetIds": list(provider.subnets), "SecurityGroupIds": list(provider.security_groups)},
        "PermissionsConfig": {"CapacityProviderOperatorRoleArn": provider.operator_role},
        "InstanceRequirements": {"Architectures": [host]},
        "CapacityProviderScalingConfig": scaling,
        "LastModified": iso_millis(provider.modified_at),
    }
