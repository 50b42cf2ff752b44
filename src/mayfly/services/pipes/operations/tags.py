"""Tags of pipes."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.pipes import catalog, faults
from mayfly.services.pipes.model import Pipe
from mayfly.services.pipes.names import Home
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_pipes.type_defs import (
        ListTagsForResourceRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

MAX_TAGS = 50


class TagOperations:
    """Tags."""

    def __init__(self, store: Store, home: Home) -> None:
        self._store = store
        self._home = home

    @operation("TagResource")
    async def tag(self, context: RequestContext, request: "TagResourceRequestTypeDef") -> dict[str, Any]:
        return await self._change(request["resourceArn"], request["tags"], ())

    @operation("UntagResource")
    async def untag(self, context: RequestContext, request: "UntagResourceRequestTypeDef") -> dict[str, Any]:
        return await self._change(request["resourceArn"], {}, request["tagKeys"])

    @operation("ListTagsForResource")
    async def list(self, context: RequestContext, request: "ListTagsForResourceRequestTypeDef") -> dict[str, Any]:
        pipe = await self._store.read(lambda reader: self._find(reader, request["resourceArn"]))
        return {"tags": pipe.tags}

    async def _change(self, arn: str, added: Mapping[str, str], removed: Iterable[str]) -> dict[str, Any]:
        gone = set(removed)

        def body(tx: Tx) -> None:
            pipe = self._find(tx, arn)
            tags = {key: value for key, value in pipe.tags.items() if key not in gone} | dict(added)
            if len(tags) > MAX_TAGS:
                raise faults.invalid(f"A pipe can have at most {MAX_TAGS} tags.")
            catalog.put(tx, msgspec.structs.replace(pipe, tags=tags))

        await self._store.write(body)
        return {}

    def _find(self, reader: Reader, arn: str) -> Pipe:
        name = self._home.name_of(arn)
        if name is None:
            raise faults.missing(arn)
        return catalog.existing(reader, name)
