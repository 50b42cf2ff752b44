"""`DurableConfig`: what makes a function durable. Pure.

A function is durable from its creation or never, so all of its versions are, or none is.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mayfly.services.functions import faults, version_repository
from mayfly.services.functions.model import Durable
from mayfly.store.api import Reader

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import DurableConfigTypeDef

UNQUALIFIED = "You cannot invoke a durable function using an unqualified ARN."
RETENTION_DAYS = 14
TOO_LONG = "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."
SYNCHRONOUS_S = 900  # the longest execution that anybody may wait for


def created(params: Mapping[str, Any]) -> Durable | None:
    """Of a function to create; None: it is not durable."""
    if "DurableConfig" not in params:
        return None
    asked = params["DurableConfig"]
    if "ExecutionTimeout" not in asked:
        raise faults.invalid_parameter(
            "You cannot create a function with a durable configuration without an executionTimeout"
        )
    _refuse_key(asked)
    return Durable(asked["ExecutionTimeout"], asked.get("RetentionPeriodInDays", RETENTION_DAYS))


def changed(current: Durable | None, asked: Mapping[str, Any]) -> Durable | None:
    """Of a function that exists; what `asked` does not name stays. Running executions keep what they began with."""
    if current is None:
        if not asked:
            return None
        raise faults.invalid_parameter(
            "You can only enable durable execution when creating a function. Create another function with a "
            "DurableConfig."
        )
    _refuse_key(asked)
    return Durable(
        asked.get("ExecutionTimeout", current.timeout_s), asked.get("RetentionPeriodInDays", current.retention_days)
    )


def check_waited(durable: Durable | None, qualifier: str | None) -> None:
    """`ServiceError` where nobody can wait for executions of what was named so; None: it is not durable."""
    if durable is not None and qualifier is None:
        raise faults.invalid_parameter(UNQUALIFIED)
    if durable is not None and durable.timeout_s > SYNCHRONOUS_S:
        raise faults.invalid_parameter(TOO_LONG)


def shown(durable: Durable) -> "DurableConfigTypeDef":
    """As replies have it."""
    return {"ExecutionTimeout": durable.timeout_s, "RetentionPeriodInDays": durable.retention_days}


def _refuse_key(asked: Mapping[str, Any]) -> None:
    if asked.get("KMSKeyArn"):
        raise faults.not_built("KMSKeyArn of DurableConfig: there are no keys to encrypt an execution's data with")


def of_version(reader: Reader, function: str, version: str) -> Durable | None:
    """As a version of a function has it; None when there is no such version, or it is not durable."""
    found = version_repository.resolve(reader, function, version)
    return found.runs.configuration.durable if found is not None else None
