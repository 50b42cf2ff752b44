"""How resources are named, as mix-ins of types: by what the template says, or by nothing that anybody else sees."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Target


class Named:
    """A resource with a name, which the template gives or which is made up from the stack's."""

    named_by: str  # the property with the name
    most_characters = 64

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(self.most_characters)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get(self.named_by)


class Unnamed:
    """A resource that is said of something else, or that gets an id of its own: nobody else can have its name."""

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(80)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False
