"""How a caller may name a layer, and a version of one; and how both are named in replies."""

import re
from dataclasses import dataclass

from mayfly.ids import PARTITION
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.names import Home

_LAYER = re.compile(r"arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+)")
_VERSION = re.compile(_LAYER.pattern + r":([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class VersionName:
    """A version of a layer as an ARN names it."""

    region: str
    account: str
    layer: str
    number: int


def layer_arn(home: Home, name: str) -> str:
    return f"arn:{PARTITION}:lambda:{home.region}:{home.account}:layer:{name}"


def version_arn(home: Home, name: str, number: int) -> str:
    return f"{layer_arn(home, name)}:{number}"


def layer_name(home: Home, text: str, context: RequestContext, action: str) -> str:
    """The name of the layer that a request names by its name or its ARN; `ServiceError` when it is not of here."""
    match = _LAYER.fullmatch(text)
    if match is None:
        return text
    region, account, name = match.groups()
    if (region, account) != (home.region, home.account):
        raise not_allowed(context, action, text)
    return name


def parse_version(arn: str) -> VersionName | None:
    """The parts of a version's ARN; None for one of another form, as AWS's own layers have it."""
    match = _VERSION.fullmatch(arn)
    if match is None:
        return None
    region, account, name, number = match.groups()
    return VersionName(region, account, name, int(number))


def not_allowed(context: RequestContext, action: str, arn: str) -> ServiceError:
    """For a layer of another account, which cannot be reached from here whatever its policy says."""
    return faults.access_denied(
        f"User: {context.principal.arn} is not authorized to perform: lambda:{action} on resource: {arn} because no "
        f"resource-based policy allows the lambda:{action} action. What layers of other accounts hold is not on this "
        "installation; fetch it where they are, and publish it here."
    )
