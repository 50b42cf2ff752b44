"""How requests name log groups: by name, by ARN, by either in one member."""

from collections.abc import Mapping
from typing import Any

from mayfly.ids import Arn
from mayfly.services.contract import RequestContext
from mayfly.services.telemetry import faults
from mayfly.services.telemetry.book import find_group, find_stream
from mayfly.services.telemetry.model import Group, Stream
from mayfly.store.api import Reader


def group_arn(context: RequestContext, name: str) -> str:
    """The ARN of a group, without the `:*` that some members carry."""
    return context.arn("logs", f"log-group:{name}")


def group_name_of(identifier: str) -> str:
    """The name in a group identifier, which is a name or an ARN with or without `:*`."""
    if not identifier.startswith("arn:"):
        return identifier
    try:
        resource = Arn.parse(identifier).resource
    except ValueError as error:
        raise faults.invalid(str(error)) from error
    kind, _, rest = resource.partition(":")
    if kind != "log-group" or not rest:
        raise faults.invalid(f"{identifier} is not the ARN of a log group")
    return rest.removesuffix(":*")


def requested_group(request: Mapping[str, Any]) -> str:
    """The name from `logGroupName` or `logGroupIdentifier`, exactly one of which must be there."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if name and identifier:
        raise faults.invalid("LogGroup name and LogGroup identifier cannot both be specified")
    if not name and not identifier:
        raise faults.invalid("Either logGroupName or logGroupIdentifier must be specified")
    return name or group_name_of(str(identifier))


def existing_group(reader: Reader, name: str) -> Group:
    """The group; ResourceNotFoundException."""
    group = find_group(reader, name)
    if group is None:
        raise faults.group_missing()
    return group


def existing_stream(reader: Reader, group: Group, name: str) -> Stream:
    """The stream; ResourceNotFoundException."""
    stream = find_stream(reader, group.id, name)
    if stream is None:
        raise faults.stream_missing()
    return stream
