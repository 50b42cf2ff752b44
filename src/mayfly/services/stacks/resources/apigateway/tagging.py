"""Tags of what API Gateway keeps, brought to what a template says now."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Target


def tags_in(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The member `tags` of a request that makes something."""
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
    return {"tags": tags} if tags else {}


async def retag(call: Caller, target: Target, path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """`path`: of the resource in API Gateway's own API, "/restapis/abc"."""
    arn = f"arn:aws:apigateway:{target.region}::{path}"
    before, after = tags_in(old).get("tags", {}), tags_in(new).get("tags", {})
    if gone := [key for key in before if key not in after]:
        await call("apigateway", "UntagResource", resourceArn=arn, tagKeys=gone)
    if after and after != before:
        await call("apigateway", "TagResource", resourceArn=arn, tags=after)
