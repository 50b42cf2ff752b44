"""Tags of alarms."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from mayfly.services.contract import RequestContext, operation
from mayfly.services.metrics import alarms as catalog
from mayfly.services.metrics import faults
from mayfly.services.metrics.alarms import Alarms
from mayfly.services.metrics.model import Alarm
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_cloudwatch import type_defs as cw

MAX_TAGS = 50


class TagOperations:
    """Tags of alarms."""

    def __init__(self, store: Store, alarms: Alarms) -> None:
        self._store = store
        self._alarms = alarms

    @operation("ListTagsForResource")
    async def list(self, context: RequestContext, request: "cw.ListTagsForResourceInputTypeDef") -> dict[str, Any]:
        alarm = await self._store.read(lambda reader: self._found(reader, request["ResourceARN"]))
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(alarm.tags.items())]}

    @operation("TagResource")
    async def tag(self, context: RequestContext, request: "cw.TagResourceInputTypeDef") -> dict[str, Any]:
        added = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        return await self._change(request["ResourceARN"], added, ())

    @operation("UntagResource")
    async def untag(self, context: RequestContext, request: "cw.UntagResourceInputTypeDef") -> dict[str, Any]:
        return await self._change(request["ResourceARN"], {}, tuple(request["TagKeys"]))

    async def _change(self, arn: str, added: dict[str, str], removed: tuple[str, ...]) -> dict[str, Any]:
        def body(tx: Tx) -> None:
            alarm = self._found(tx, arn)
            tags = {key: value for key, value in {**alarm.tags, **added}.items() if key not in removed}
            if len(tags) > MAX_TAGS:
                raise faults.validation(f"An alarm can have at most {MAX_TAGS} tags.")
            self._alarms.rewrite(tx, replace(alarm, tags=tags))

        await self._store.write(body)
        return {}

    def _found(self, reader: Reader, arn: str) -> Alarm:
        prefix = self._alarms.arn("")
        alarm = catalog.find(reader, arn.removeprefix(prefix)) if arn.startswith(prefix) else None
        if alarm is None:
            raise faults.no_resource(arn)
        return alarm
