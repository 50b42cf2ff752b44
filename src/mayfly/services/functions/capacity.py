"""Functions whose instances run several calls at a time: `CapacityProviderConfig`, and what follows from it. Pure.

On AWS a capacity provider is a fleet of the customer's own machines, and only functions on one have such instances.
Here it is a part of this machine, or all of it (`providers`).
"""

from typing import TYPE_CHECKING, cast

from mayfly.services.functions.model import Capacity

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import CapacityProviderConfigTypeDef

# Where a function does not say how many calls an instance runs: so many for each processor, as AWS does it for Python.
_CALLS_PER_CPU = 16
_LEAST_GIB_PER_CPU = 2.0
_MAX_CALLS = 1600


def of(config: "CapacityProviderConfigTypeDef") -> Capacity:
    """From the member of a request."""
    managed = config["LambdaManagedInstancesCapacityProviderConfig"]
    return Capacity(
        managed["CapacityProviderArn"],
        managed.get("PerExecutionEnvironmentMaxConcurrency"),
        managed.get("ExecutionEnvironmentMemoryGiBPerVCpu"),
    )


def shown(capacity: Capacity) -> "CapacityProviderConfigTypeDef":
    """As it was asked for."""
    managed: dict[str, object] = {"CapacityProviderArn": capacity.provider}
    if capacity.max_concurrency is not None:
        managed["PerExecutionEnvironmentMaxConcurrency"] = capacity.max_concurrency
    if capacity.memory_gib_per_cpu is not None:
        managed["ExecutionEnvironmentMemoryGiBPerVCpu"] = capacity.memory_gib_per_cpu
    return cast("CapacityProviderConfigTypeDef", {"LambdaManagedInstancesCapacityProviderConfig": managed})


def calls_at_a_time(capacity: Capacity | None, memory_mb: int) -> int:
    """How many calls an instance may run at a time."""
    if capacity is None:
        return 1
    if capacity.max_concurrency is not None:
        return capacity.max_concurrency
    cpus = int(memory_mb / 1024 / (capacity.memory_gib_per_cpu or _LEAST_GIB_PER_CPU))
    return min(_CALLS_PER_CPU * max(1, cpus), _MAX_CALLS)
