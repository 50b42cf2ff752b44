"""Tags, which groups alone have."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.schedules import catalog, faults
from mayfly.services.schedules import statements as sql
from mayfly.services.schedules.model import Group
from mayfly.services.schedules.names import Home
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_scheduler.type_defs import (
        ListTagsForResourceInputTypeDef,
        TagResourceInputTypeDef,
        TagTypeDef,
        UntagResourceInputTypeDef,
    )

MAX_TAGS = 50


class TagOperations:
    """Tags of groups."""

    def __init__(self, store: Store, clock: Clock, home: Home) -> None:
        self._store = store
        self._clock = clock
        self._home = home

    @operation("TagResource")
    async def tag(self, context: RequestContext, request: "TagResourceInputTypeDef") -> dict[str, Any]:
        return await self._change(request["ResourceArn"], tags_from(request["Tags"]), ())

    @operation("UntagResource")
    async def untag(self, context: RequestContext, request: "UntagResourceInputTypeDef") -> dict[str, Any]:
        return await self._change(request["ResourceArn"], {}, request["TagKeys"])

    @operation("ListTagsForResource")
    async def list(self, context: RequestContext, request: "ListTagsForResourceInputTypeDef") -> dict[str, Any]:
        group = await self._store.read(lambda reader: self._group(reader, request["ResourceArn"]))
        return {"Tags": [{"Key": key, "Value": value} for key, value in catalog.tags_of(group).items()]}

    async def _change(self, arn: str, added: dict[str, str], removed: Iterable[str]) -> dict[str, Any]:
        gone, now = set(removed), self._clock.now()

        def body(tx: Tx) -> None:
            group = self._group(tx, arn)
            tags = {key: value for key, value in catalog.tags_of(group).items() if key not in gone} | added
            _check_count(tags)
            tx.run(sql.SET_TAGS, {"name": group.name, "tags": json.dumps(tags), "now": now})

        await self._store.write(body)
        return {}

    def _group(self, reader: Reader, arn: str) -> Group:
        name = self._home.group_of(arn)
        if name is None:
            raise ServiceError("ResourceNotFoundException", f"The resource {arn} does not exist.")
        return catalog.existing_group(reader, name)


def tags_from(given: "Iterable[TagTypeDef]") -> dict[str, str]:
    """Tags by their keys; ValidationException."""
    tags: dict[str, str] = {}
    for tag in given:
        if tag["Key"] in tags:
            raise faults.invalid(f"The tag key {tag['Key']} is given twice.")
        if tag["Key"].lower().startswith("aws:"):
            raise faults.invalid("Tag keys cannot begin with aws:, which is reserved.")
        tags[tag["Key"]] = tag["Value"]
    _check_count(tags)
    return tags


def _check_count(tags: dict[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise faults.invalid(f"A schedule group can have at most {MAX_TAGS} tags.")
