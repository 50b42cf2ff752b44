"""Tags of resources that exist, brought to what a template says now: for services that tag by ARN."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, tag_changes


async def retag_lambda(call: Caller, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """What Lambda keeps; it takes tags as a map. Removed first, so that a full set can be exchanged."""
    put, remove = tag_changes(old, new)
    if remove:
        await call("lambda", "UntagResource", Resource=arn, TagKeys=remove)
    if put:
        await call("lambda", "TagResource", Resource=arn, Tags={tag["Key"]: tag["Value"] for tag in put})


async def retag(call: Caller, service: str, old: Mapping[str, Any], new: Mapping[str, Any], **resource: str) -> None:
    """What a service keeps that takes tags as a list. `resource`: its ARN, by the name of the service's parameter."""
    put, remove = tag_changes(old, new)
    if put:
        await call(service, "TagResource", **resource, Tags=put)
    if remove:
        await call(service, "UntagResource", **resource, TagKeys=remove)
