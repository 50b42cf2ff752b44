"""From the dicts of CreateFunction and UpdateFunctionConfiguration to a `Configuration`: pure, and all the refusals.

The wire has checked what botocore's model says. Here are the limits that are configured, what AWS checks beyond its
model, and the parameters that Mayfly does not implement: those are accepted when they ask for what happens anyway, and
refused by name otherwise.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.sandbox.wasm import artifacts
from mayfly.services.functions import capacity, dead_letters, faults, image_process, tenancy, tracing
from mayfly.services.functions.durable import config as durable_config
from mayfly.services.functions.logs import settings as log_settings
from mayfly.services.functions.model import Architecture, Configuration, PackageType
from mayfly.services.functions.runtimes import MANAGED, RETIRED
from mayfly.settings import FunctionLimits

MAX_TAGS = 50
_MAX_SNAP_START_EPHEMERAL_MB = 512

RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)


def new_configuration(params: Mapping[str, Any], limits: FunctionLimits, host: Architecture) -> Configuration:
    """The configuration of a function to create; `host` is what this machine can run."""
    refuse_unbuilt(params)
    durable = durable_config.created(params)
    if params.get("PackageType", "Zip") == "Image":
        base = Configuration("", "", params["Role"], architecture=host, package="Image", durable=durable)
        return changed(msgspec.structs.replace(base, per_tenant=tenancy.asked(params)), params, limits, host)
    if "Runtime" not in params or "Handler" not in params:
        raise faults.invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    base = Configuration(params["Runtime"], params["Handler"], params["Role"], architecture=host, durable=durable)
    base = msgspec.structs.replace(base, per_tenant=tenancy.asked(params))
    return changed(base, params, limits, host)


def changed(
    base: Configuration, params: Mapping[str, Any], limits: FunctionLimits, host: Architecture
) -> Configuration:
    """`base` with what `params` names replaced."""
    refuse_unbuilt(params)
    refuse_of_other_package(params, base.package)
    changes: dict[str, Any] = {}
    if "ImageConfig" in params:
        changes["image"] = image_process.config_of(params["ImageConfig"])
    for member, field in (("Runtime", "runtime"), ("Handler", "handler"), ("Role", "role")):
        if member in params:
            changes[field] = params[member]
    if "Description" in params:
        changes["description"] = params["Description"]
    if "Timeout" in params:
        changes["timeout_s"] = _bounded("timeout", params["Timeout"], 1, limits.timeout_s)
    if "MemorySize" in params:
        changes["memory_mb"] = _bounded("memorySize", params["MemorySize"], *limits.memory_mb)
    if "EphemeralStorage" in params:
        changes["ephemeral_mb"] = _bounded(
            "ephemeralStorage.size", params["EphemeralStorage"]["Size"], *limits.ephemeral_mb
        )
    if "Environment" in params:
        changes["environment"] = environment(params["Environment"].get("Variables", {}), limits)
        changes["sealed"] = None
    if "SnapStart" in params:
        changes["snap_start"] = params["SnapStart"].get("ApplyOn", "None") == "PublishedVersions"
    if "CapacityProviderConfig" in params:
        changes["capacity"] = capacity.of(params["CapacityProviderConfig"])
    if "LoggingConfig" in params:
        changes["log_group"] = params["LoggingConfig"].get("LogGroup") or base.log_group
        changes["logs"] = log_settings.json_of(params["LoggingConfig"], base.logs)
    if "DeadLetterConfig" in params:
        changes["dead_letters"] = dead_letters.target_of(params["DeadLetterConfig"])
    if "DurableConfig" in params:
        changes["durable"] = durable_config.changed(base.durable, params["DurableConfig"])
    if "TracingConfig" in params:
        changes["tracing"] = tracing.active_of(params["TracingConfig"], base.tracing)
    runtime = changes.get("runtime", base.runtime)
    changes["architecture"] = architecture(params, base.architecture, host, runtime)
    configuration = msgspec.structs.replace(base, **changes)
    tenancy.check(configuration)
    if configuration.snap_start and configuration.runtime == artifacts.NAME:
        raise faults.invalid_parameter(f"{artifacts.NAME} is not supported for SnapStart enabled functions.")
    if configuration.snap_start and configuration.runtime.startswith(("nodejs", "ruby")):
        raise faults.invalid_parameter(f"{configuration.runtime} is not supported for SnapStart enabled functions.")
    if configuration.snap_start and configuration.ephemeral_mb > _MAX_SNAP_START_EPHEMERAL_MB:
        raise faults.invalid_parameter(
            f"SnapStart does not support ephemeral storage larger than {_MAX_SNAP_START_EPHEMERAL_MB} MB."
        )
    return configuration


def architecture(params: Mapping[str, Any], base: Architecture, host: Architecture, runtime: str) -> Architecture:
    """The architecture asked for. Another one than the machine's own can be had for managed runtimes alone, whose
    functions run on this machine's all the same, with a warning: most packages hold no machine code."""
    asked: Architecture = params.get("Architectures", [base])[0]
    if asked != host and runtime not in (*MANAGED, *RETIRED):
        raise faults.invalid_parameter(
            f"Functions run natively on this machine, which is {host}; Architectures [{asked}] cannot be had. "
            f"Build the package for {host} and leave Architectures out or say [{host}]."
        )
    return asked


def environment(variables: Mapping[str, str], limits: FunctionLimits) -> dict[str, str]:
    """The variables of a function, checked for names that are the platform's and for their size together."""
    if reserved := [name for name in variables if name in RESERVED_VARIABLES]:
        raise faults.invalid_parameter(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > limits.environment_bytes:
        raise faults.invalid_parameter(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the {limits.environment_bytes // 1024}KB limit. "
            f"String measured: {len(measured.encode())} bytes"  # AWS shows them; errors go where secrets must not
        )
    if bad := [name for name, value in variables.items() if "\0" in value]:
        raise faults.invalid_parameter(f"The environment variable {bad[0]} contains a null byte.")
    return dict(variables)


def tags(given: Mapping[str, str]) -> dict[str, str]:
    """The tags of a function, checked for their number."""
    if len(given) > MAX_TAGS:
        raise faults.invalid_parameter("Number of tags exceeds resource tag limit.")
    return dict(given)


def refuse_of_other_package(params: Mapping[str, Any], package: PackageType) -> None:
    """`ServiceError` for a parameter that is for functions of the other kind of package."""
    if package == "Zip":
        if "ImageConfig" in params:
            raise faults.invalid_parameter(
                "ImageConfig is not supported for functions created with .zip file archives."
            )
        return
    for member, what in (("Runtime", "Runtimes are"), ("Handler", "Handlers are"), ("Layers", "Lambda layers are")):
        if params.get(member):
            raise faults.invalid_parameter(f"{what} not supported for functions created with container images.")
    if params.get("SnapStart", {}).get("ApplyOn", "None") != "None":
        raise faults.invalid_parameter("SnapStart is not supported for functions created with container images.")


def refuse_unbuilt(params: Mapping[str, Any]) -> None:
    """`ServiceError` for a parameter that asks for something that is not there."""
    if params.get("KMSKeyArn"):
        raise faults.invalid_parameter(
            "KMSKeyArn names a key of a key management service, which Mayfly does not have. Environment variables are "
            "encrypted with the platform's own key; leave KMSKeyArn out."
        )
    vpc = params.get("VpcConfig", {})
    asked = {
        "VpcConfig with subnets": bool(vpc.get("SubnetIds") or vpc.get("SecurityGroupIds")),
        "FileSystemConfigs": bool(params.get("FileSystemConfigs")),
        "RuntimeConfig": "RuntimeConfig" in params,
        "AcceleratorConfig": "AcceleratorConfig" in params,
        "PublishTo, which is for capacity providers": "PublishTo" in params,
    }
    for what, wanted in asked.items():
        if wanted:
            raise faults.not_built(f"{what} of functions")


def _bounded(member: str, value: int, low: int, high: int) -> int:
    if value > high:
        raise faults.validation(
            f"Value '{value}' at '{member}' failed to satisfy constraint: Member must have value less than or equal "
            f"to {high}"
        )
    if value < low:
        raise faults.validation(
            f"Value '{value}' at '{member}' failed to satisfy constraint: Member must have value greater than or "
            f"equal to {low}"
        )
    return value
