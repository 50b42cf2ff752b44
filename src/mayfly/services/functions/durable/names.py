"""What identifies an execution, one of its checkpoints, one of its callbacks. Pure.

Tokens and callback ids say where they belong, so that nothing has to be looked up by them; both are letters and digits
alone. Whoever holds one still has to be allowed to call.
"""

import re
from dataclasses import dataclass

from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.names import Home

_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-zA-Z0-9-]+):(?P<account>\d{12}):function:(?P<function>[a-zA-Z0-9_-]+)"
    r":(?P<version>\$LATEST(?:\.PUBLISHED)?|[0-9]+)/durable-execution/(?P<name>[a-zA-Z0-9_-]+)/(?P<id>[a-zA-Z0-9_-]+)"
)
_TOKEN = re.compile(r"([0-9a-f]{32})T(\d{1,15})T(\d{1,15})")
_CALLBACK = re.compile(r"([0-9a-f]{32})C(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Token:
    """Which checkpoint of which invocation comes next."""

    execution_id: str
    invocation: int
    checkpoint: int


def arn(home: Home, function: str, version: str, name: str, execution_id: str) -> str:
    """Of an execution."""
    return f"{home.arn(function, version)}/durable-execution/{name}/{execution_id}"


def execution_id(home: Home, text: str) -> str:
    """Which execution an ARN names; `ServiceError` ResourceNotFoundException for one that cannot be here."""
    match = _ARN.fullmatch(text)
    if match is None or (match["region"], match["account"]) != (home.region, home.account):
        raise no_such_execution()
    return match["id"]


def token(of: Token) -> str:
    return f"{_digits(of.execution_id)}T{of.invocation}T{of.checkpoint}"


def read_token(text: str) -> Token | None:
    """None for what `token` never made."""
    match = _TOKEN.fullmatch(text)
    return Token(_uuid(match[1]), int(match[2]), int(match[3])) if match else None


def callback(execution_id: str, number: int) -> str:
    """The id of the callback that is operation `number` of an execution."""
    return f"{_digits(execution_id)}C{number}"


def read_callback(text: str) -> tuple[str, int]:
    """The execution and the number; `ServiceError` InvalidParameterValueException for what `callback` never made."""
    match = _CALLBACK.fullmatch(text)
    if match is None:
        raise faults.invalid_parameter("Invalid callback id")
    return _uuid(match[1]), int(match[2])


def no_such_execution() -> ServiceError:
    return faults.resource_not_found("Durable Execution does not exist")


def _digits(uuid: str) -> str:
    return uuid.replace("-", "")


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def already_started(arn: str) -> ServiceError:
    """For the name of an execution that was given something else."""
    return ServiceError(
        "DurableExecutionAlreadyStartedException",
        f"Execution already started: {arn}",
        status=409,
        members={"Type": "User"},
    )
