"""From domain types to the dicts of replies. Pure."""

import base64
from typing import TYPE_CHECKING, Literal, cast, get_args

from mayfly.clock import iso_millis, utc
from mayfly.services.functions import capacity, runtimes, tenancy
from mayfly.services.functions.durable import config as durable_config
from mayfly.services.functions.fitness import Unfit
from mayfly.services.functions.logs import settings as log_settings
from mayfly.services.functions.model import (
    LATEST,
    Alias,
    AsyncSettings,
    Code,
    Configuration,
    Cors,
    Function,
    FunctionUrl,
    Version,
)
from mayfly.services.functions.names import Home

if TYPE_CHECKING:
    from types_boto3_lambda.literals import LastUpdateStatusReasonCodeType, RuntimeType, StateReasonCodeType
    from types_boto3_lambda.type_defs import (
        AliasConfigurationTypeDef,
        CorsOutputTypeDef,
        FunctionConfigurationTypeDef,
        FunctionEventInvokeConfigTypeDef,
        FunctionUrlConfigTypeDef,
        ImageConfigOutputTypeDef,
    )


_State = Literal[
    "State",
    "StateReason",
    "StateReasonCode",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
]
_STATE: tuple[_State, ...] = get_args(_State)


def lambda_time(timestamp: float) -> str:
    """The form of LastModified: `2026-01-31T12:00:00.000+0000`."""
    return iso_millis(timestamp).replace("Z", "+0000")


def code_sha256(code: Code) -> str:
    """What CodeSha256 shows: base64 of a package's digest, an image's digest as it is."""
    return code.sha256 if code.image is not None else base64.b64encode(bytes.fromhex(code.sha256)).decode()


def configuration(
    shown_of: Function | Version, home: Home, *, qualifier: str | None = None, unfit: Unfit | None = None
) -> "FunctionConfigurationTypeDef":
    """What most operations answer. `qualifier`: what the ARN ends in, which is what the caller named. `unfit`: why what
    is ready cannot run, where somebody asked."""
    chosen = shown_of.configuration
    version = shown_of if isinstance(shown_of, Version) else None
    name = shown_of.function_name if isinstance(shown_of, Version) else shown_of.name
    code = (shown_of.awaited if isinstance(shown_of, Function) else None) or shown_of.code
    shown: FunctionConfigurationTypeDef = {
        "FunctionName": name,
        "FunctionArn": home.arn(name, qualifier),
        "Role": chosen.role,
        "CodeSize": code.size,
        "Description": chosen.description,
        "Timeout": chosen.timeout_s,
        "MemorySize": chosen.memory_mb,
        "LastModified": lambda_time(version.published_at if version else cast("Function", shown_of).modified_at),
        "CodeSha256": code_sha256(code),
        "Version": version.label if version else LATEST,
        "TracingConfig": {"Mode": "Active" if chosen.tracing else "PassThrough"},
        "RevisionId": shown_of.revision_id,
        "State": shown_of.standing,
        "PackageType": chosen.package,
        "Architectures": [chosen.architecture],
        "EphemeralStorage": {"Size": chosen.ephemeral_mb},
        "SnapStart": {
            "ApplyOn": "PublishedVersions" if chosen.snap_start else "None",
            "OptimizationStatus": "On" if version and version.optimized else "Off",
        },
        "LoggingConfig": log_settings.shown(chosen.logs, shown_of.log_group),
    }
    _add_what_runs(shown, chosen, home)
    if chosen.environment is not None:
        shown["Environment"] = {"Variables": dict(chosen.environment)}
    elif chosen.sealed is not None:
        lost = "The variables cannot be decrypted with the key of this platform. Set them again."
        shown["Environment"] = {"Error": {"ErrorCode": "KMSInvalidStateException", "Message": lost}}
    if chosen.layers:
        shown["Layers"] = [{"Arn": layer.arn, "CodeSize": layer.size} for layer in chosen.layers]
    if chosen.capacity is not None:
        shown["CapacityProviderConfig"] = capacity.shown(chosen.capacity)
    if chosen.dead_letters is not None:
        shown["DeadLetterConfig"] = {"TargetArn": chosen.dead_letters}
    if chosen.durable is not None:
        shown["DurableConfig"] = durable_config.shown(chosen.durable)
    shown.update(cast("FunctionConfigurationTypeDef", tenancy.shown(chosen)))
    _add_state(shown, shown_of)
    if unfit is not None:
        shown["State"] = "Failed"
        shown["StateReason"] = unfit.reason
        shown["StateReasonCode"] = cast("StateReasonCodeType", unfit.code)
    return shown


def _add_what_runs(shown: "FunctionConfigurationTypeDef", chosen: Configuration, home: Home) -> None:
    if chosen.package == "Zip":
        shown["Runtime"] = cast("RuntimeType", chosen.runtime)
        shown["Handler"] = chosen.handler
        shown["RuntimeVersionConfig"] = {"RuntimeVersionArn": runtimes.runtime_version_arn(chosen.runtime, home.region)}
    elif chosen.image is not None:
        config: ImageConfigOutputTypeDef = {}
        if chosen.image.entry_point is not None:
            config["EntryPoint"] = list(chosen.image.entry_point)
        if chosen.image.command is not None:
            config["Command"] = list(chosen.image.command)
        if chosen.image.working_directory is not None:
            config["WorkingDirectory"] = chosen.image.working_directory
        shown["ImageConfigResponse"] = {"ImageConfig": config}


def listed(shown_of: Function | Version, home: Home, *, qualifier: str | None = None) -> "FunctionConfigurationTypeDef":
    """What lists show: all but the state, for which one asks of each."""
    shown = configuration(shown_of, home, qualifier=qualifier)
    for member in _STATE:
        shown.pop(member, None)
    return shown


def _add_state(shown: "FunctionConfigurationTypeDef", shown_of: Function | Version) -> None:
    """What is said of a state: what is being made ready was not updated yet."""
    if shown_of.state != "Active":
        if shown_of.state_reason is not None:
            shown["StateReason"] = shown_of.state_reason
        if shown_of.state_reason_code is not None:
            shown["StateReasonCode"] = cast("StateReasonCodeType", shown_of.state_reason_code)
        return
    update = shown_of.update if isinstance(shown_of, Function) else None
    shown["LastUpdateStatus"] = "Successful" if update is None else "Failed" if update.failed else "InProgress"
    if update is not None and update.reason is not None:
        shown["LastUpdateStatusReason"] = update.reason
    if update is not None and update.reason_code is not None:
        shown["LastUpdateStatusReasonCode"] = cast("LastUpdateStatusReasonCodeType", update.reason_code)


def alias(value: Alias, home: Home) -> "AliasConfigurationTypeDef":
    shown: AliasConfigurationTypeDef = {
        "AliasArn": home.arn(value.function_name, value.name),
        "Name": value.name,
        "FunctionVersion": value.version,
        "Description": value.description,
        "RevisionId": value.revision_id,
    }
    if value.second is not None:
        shown["RoutingConfig"] = {"AdditionalVersionWeights": {value.second: value.weight}}
    return shown


def cors(value: Cors) -> "CorsOutputTypeDef":
    shown: CorsOutputTypeDef = {}
    if value.allow_credentials is not None:
        shown["AllowCredentials"] = value.allow_credentials
    if value.allow_headers is not None:
        shown["AllowHeaders"] = list(value.allow_headers)
    if value.allow_methods is not None:
        shown["AllowMethods"] = list(value.allow_methods)
    if value.allow_origins is not None:
        shown["AllowOrigins"] = list(value.allow_origins)
    if value.expose_headers is not None:
        shown["ExposeHeaders"] = list(value.expose_headers)
    if value.max_age_s is not None:
        shown["MaxAge"] = value.max_age_s
    return shown


def function_url(
    name: str, alias_name: str | None, url: FunctionUrl, home: Home, endpoint: str
) -> "FunctionUrlConfigTypeDef":
    """The URL is the form that needs no DNS; `<id>.lambda-url.<region>.<any host>` reaches the same function."""
    shown: FunctionUrlConfigTypeDef = {
        "FunctionUrl": f"{endpoint}/_mayfly/url/{url.url_id}/",
        "FunctionArn": home.arn(name, alias_name),
        "AuthType": url.auth_type,
        "CreationTime": iso_millis(url.created_at),
        "LastModifiedTime": iso_millis(url.modified_at),
        "InvokeMode": "RESPONSE_STREAM" if url.streams else "BUFFERED",
    }
    if url.cors is not None:
        shown["Cors"] = cors(url.cors)
    return shown


def async_settings(
    name: str, qualifier: str | None, settings: AsyncSettings, home: Home
) -> "FunctionEventInvokeConfigTypeDef":
    shown: FunctionEventInvokeConfigTypeDef = {
        "LastModified": utc(settings.modified_at),
        "FunctionArn": home.arn(name, qualifier or LATEST),
        "DestinationConfig": {
            "OnSuccess": {"Destination": settings.on_success} if settings.on_success else {},
            "OnFailure": {"Destination": settings.on_failure} if settings.on_failure else {},
        },
    }
    if settings.max_retries is not None:
        shown["MaximumRetryAttempts"] = settings.max_retries
    if settings.max_age_s is not None:
        shown["MaximumEventAgeInSeconds"] = settings.max_age_s
    return shown
