"""From domain types to the dicts of replies. Pure."""

import base64
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from mayfly.clock import iso_millis, utc
from mayfly.services.functions.model import LATEST, AsyncSettings, Cors, Function, FunctionUrl
from mayfly.services.functions.names import Home

if TYPE_CHECKING:
    from types_boto3_lambda.literals import RuntimeType
    from types_boto3_lambda.type_defs import (
        CorsOutputTypeDef,
        FunctionConfigurationTypeDef,
        FunctionEventInvokeConfigTypeDef,
        FunctionUrlConfigTypeDef,
    )


def lambda_time(timestamp: float) -> str:
    """The form of LastModified: `2026-01-31T12:00:00.000+0000`."""
    return iso_millis(timestamp).replace("Z", "+0000")


def code_sha256(digest: str) -> str:
    """The base64 that CodeSha256 is shown as."""
    return base64.b64encode(bytes.fromhex(digest)).decode()


def configuration(function: Function, home: Home, *, qualified: bool = False) -> "FunctionConfigurationTypeDef":
    """What most operations answer. `qualified`: with $LATEST in the ARN, as for a caller who named it."""
    chosen = function.configuration
    runtime_version = sha256(chosen.runtime.encode()).hexdigest()
    shown: FunctionConfigurationTypeDef = {
        "FunctionName": function.name,
        "FunctionArn": home.arn(function.name, LATEST if qualified else None),
        "Runtime": cast("RuntimeType", chosen.runtime),
        "Role": chosen.role,
        "Handler": chosen.handler,
        "CodeSize": function.code.size,
        "Description": chosen.description,
        "Timeout": chosen.timeout_s,
        "MemorySize": chosen.memory_mb,
        "LastModified": lambda_time(function.modified_at),
        "CodeSha256": code_sha256(function.code.sha256),
        "Version": LATEST,
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": function.revision_id,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": [chosen.architecture],
        "EphemeralStorage": {"Size": chosen.ephemeral_mb},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "RuntimeVersionConfig": {"RuntimeVersionArn": f"arn:aws:lambda:{home.region}::runtime:{runtime_version}"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": function.log_group},
    }
    if chosen.environment is not None:
        shown["Environment"] = {"Variables": dict(chosen.environment)}
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


def function_url(name: str, url: FunctionUrl, home: Home, endpoint: str) -> "FunctionUrlConfigTypeDef":
    """The URL is the form that needs no DNS; `<id>.lambda-url.<region>.<any host>` reaches the same function."""
    shown: FunctionUrlConfigTypeDef = {
        "FunctionUrl": f"{endpoint}/_mayfly/url/{url.url_id}/",
        "FunctionArn": home.arn(name),
        "AuthType": url.auth_type,
        "CreationTime": iso_millis(url.created_at),
        "LastModifiedTime": iso_millis(url.modified_at),
        "InvokeMode": "BUFFERED",
    }
    if url.cors is not None:
        shown["Cors"] = cors(url.cors)
    return shown


def async_settings(name: str, settings: AsyncSettings, home: Home) -> "FunctionEventInvokeConfigTypeDef":
    shown: FunctionEventInvokeConfigTypeDef = {
        "LastModified": utc(settings.modified_at),
        "FunctionArn": home.arn(name, LATEST),
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
