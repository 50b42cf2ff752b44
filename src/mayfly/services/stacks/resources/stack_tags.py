"""The tags of a stack are those of its resources as well, where these have tags; their own come over them. Pure."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks import inert
from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.schema import TAGS, Entries, Items
from mayfly.services.stacks.template.marks import is_unknown


def with_stack_tags(properties: dict[str, Any], kind: ResourceType, tags: Mapping[str, str]) -> dict[str, Any]:
    """The shaped properties with the tags of the stack among them."""
    given = {name: value for name, value in tags.items() if name != inert.TAG}
    form, own = kind.schema.members.get("Tags"), properties.get("Tags")
    if not given or is_unknown(own):
        return properties
    if isinstance(form, Entries):
        return {**properties, "Tags": {**given, **(own or {})}}
    if not isinstance(form, Items) or form != TAGS:
        return properties
    known = {tag["Key"] for tag in own or ()}
    added = [{"Key": name, "Value": value} for name, value in sorted(given.items()) if name not in known]
    return {**properties, "Tags": [*(own or ()), *added]}
