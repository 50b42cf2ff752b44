"""Names and ARNs of capacity providers. Pure."""

from mayfly.services.functions.names import Home
from mayfly.services.functions.providers.model import MACHINE


def arn_of(home: Home, name: str = MACHINE) -> str:
    return home.arn(MACHINE).removesuffix(f":function:{MACHINE}") + f":capacity-provider:{name}"


def name_of(home: Home, named: str) -> str | None:
    """The name in what a caller said, a name or an ARN; None for an ARN of somewhere else."""
    if not named.startswith("arn:"):
        return named
    prefix = arn_of(home, "")
    return named.removeprefix(prefix) if named.startswith(prefix) else None
