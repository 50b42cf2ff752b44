"""AWS::IAM::AccessKey: a key of a user. Another `Serial` makes another key."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.iam.grants import GONE
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import INTEGER, STRING, fields

_ACTIVE = "Active"


class AccessKey(Unnamed):
    name = "AWS::IAM::AccessKey"
    schema = fields("UserName", Serial=INTEGER, Status=STRING, UserName=STRING)
    replaced_by = frozenset({"UserName", "Serial"})
    attributes = frozenset({"Id", "SecretAccessKey"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        made = await self._key(call, target, properties)
        await self._turn(call, made, properties)
        return made

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._turn(call, made, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        user = properties["UserName"]
        if await call.unless(GONE, "iam", "GetUser", UserName=user) is None:
            return
        if not made.attributes:  # an interrupted creation may have made one: who asks again is told which
            made = await self._key(call, target, properties)
        await call.unless(GONE, "iam", "DeleteAccessKey", UserName=user, AccessKeyId=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        user = properties["UserName"]
        reply = await call.unless(GONE, "iam", "ListAccessKeys", UserName=user)
        keys = [] if reply is None else reply["AccessKeyMetadata"]
        status = next((key["Status"] for key in keys if key["AccessKeyId"] == made.physical_id), None)
        if status is None:
            return None
        return observed(properties, {"UserName": user, "Status": status}, "Serial", defaults={"Status": _ACTIVE})

    async def _key(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        reply = await call.once(target, "iam", "CreateAccessKey", UserName=properties["UserName"])
        key = reply["AccessKey"]
        return Made(key["AccessKeyId"], {"Id": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]})

    async def _turn(self, call: Caller, made: Made, properties: Mapping[str, Any]) -> None:
        await call(
            "iam",
            "UpdateAccessKey",
            UserName=properties["UserName"],
            AccessKeyId=made.physical_id,
            Status=properties.get("Status", _ACTIVE),
        )
