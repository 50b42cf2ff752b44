"""How code signing configurations are named."""

from mayfly import ids
from mayfly.ids import PARTITION
from mayfly.services.functions.names import Home

KIND = "code-signing-config"
_ID_LENGTH = 17


def new_id() -> str:
    return f"csc-{ids.token(_ID_LENGTH)}"


def arn(home: Home, config_id: str) -> str:
    return f"{_prefix(home)}{config_id}"


def config_id(home: Home, text: str) -> str | None:
    """The id in an ARN; None for one that is not of here."""
    return text.removeprefix(_prefix(home)) if text.startswith(_prefix(home)) else None


def _prefix(home: Home) -> str:
    return f"arn:{PARTITION}:lambda:{home.region}:{home.account}:{KIND}:"
