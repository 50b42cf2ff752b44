"""LoggingConfig: from a request to what is stored, to a reply, to the variables of an instance. Pure.

Format, levels and group change one by one: what a request leaves out stays as it is, except that asking for JSON
anew begins with both levels at INFO, and that text has no levels.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from mayfly.services.functions import faults
from mayfly.services.functions.model import JsonLogs

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import LoggingConfigTypeDef

_LEVELS = ("ApplicationLogLevel", "SystemLogLevel")


def json_of(params: Mapping[str, Any], base: JsonLogs | None) -> JsonLogs | None:
    """How a function logs whose LoggingConfig is now `params`; None: text. `ServiceError`."""
    wanted = params.get("LogFormat") or ("JSON" if base is not None else "Text")
    if wanted == "Text":
        if any(level in params for level in _LEVELS):
            raise faults.invalid_parameter(
                'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or '
                'change the LogFormat to "JSON" and try again.'
            )
        return None
    kept = base if base is not None and "LogFormat" not in params else JsonLogs()
    return JsonLogs(params.get("ApplicationLogLevel", kept.application), params.get("SystemLogLevel", kept.system))


def shown(logs: JsonLogs | None, group: str) -> "LoggingConfigTypeDef":
    """As replies have it."""
    if logs is None:
        return {"LogFormat": "Text", "LogGroup": group}
    levels = {"ApplicationLogLevel": logs.application, "SystemLogLevel": logs.system}
    return cast("LoggingConfigTypeDef", {"LogFormat": "JSON", **levels, "LogGroup": group})


def variables(logs: JsonLogs | None) -> dict[str, str]:
    """What programs are told; of text nothing, so that a function's own variables count."""
    return {} if logs is None else {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": logs.application}
