"""AWS::IAM::ServiceLinkedRole: the role that a service has for itself. Mayfly's services need none, and keep it."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.iam.grants import GONE
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import STRING, fields

_PLACE = ("AWSServiceName", "CustomSuffix")


class ServiceLinkedRole:
    name = "AWS::IAM::ServiceLinkedRole"
    schema = fields("AWSServiceName", AWSServiceName=STRING, CustomSuffix=STRING, Description=STRING)
    replaced_by = frozenset(_PLACE)
    attributes = frozenset({"RoleName"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        """A mark: IAM makes up the name."""
        return target.name(64)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return "/".join(properties[name] for name in _PLACE if name in properties)

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._find(call, properties) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = await self._find(call, properties)
        if name is None:
            said = picked(properties, *_PLACE, "Description")
            name = (await call("iam", "CreateServiceLinkedRole", **said))["Role"]["RoleName"]
        return Made(name, {"RoleName": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if changed(old, new, "Description"):
            await call("iam", "UpdateRole", RoleName=made.physical_id, Description=new.get("Description", ""))
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        name = await self._find(call, properties)
        if name is not None:
            await call.unless(GONE, "iam", "DeleteServiceLinkedRole", RoleName=name)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        reply = await call.unless(GONE, "iam", "GetRole", RoleName=made.physical_id)
        if reply is None:
            return None
        return observed(properties, {"Description": reply["Role"].get("Description")}, *_PLACE)

    async def _find(self, call: Caller, properties: Mapping[str, Any]) -> str | None:
        """The role of that service and suffix."""
        path, suffix = f"/aws-service-role/{properties['AWSServiceName']}/", properties.get("CustomSuffix")
        for role in (await call("iam", "ListRoles", PathPrefix=path))["Roles"]:
            name = str(role["RoleName"])
            if name.endswith(f"_{suffix}") if suffix else "_" not in name.replace("ApplicationAutoScaling_", ""):
                return name
        return None
