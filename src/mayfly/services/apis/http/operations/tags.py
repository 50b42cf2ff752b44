"""Tags of APIs and stages."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from msgspec.structs import replace

from mayfly.services.apis.http import catalog, checks, faults
from mayfly.services.apis.http.editing import Editing
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_apigatewayv2.type_defs import (
        GetTagsRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

_ARN = re.compile(r"arn:aws[a-zA-Z-]*:apigateway:[a-z0-9-]*::/apis/(?P<api>[a-z0-9]+)(/stages/(?P<stage>[^/]+))?")
Tags = dict[str, str]


class TagOperations:
    """Tags. Domain names have theirs where they are kept: `others` knows them by ARN."""

    def __init__(self, editing: Editing, others: "Callable[[Tx, str], OtherTags | None]") -> None:
        self._editing = editing
        self._others = others

    @operation("GetTags")
    async def get(self, context: RequestContext, request: "GetTagsRequestTypeDef") -> dict[str, Any]:
        return {
            "Tags": await self._editing.store.write(
                lambda tx: self._change(tx, request["ResourceArn"], lambda tags: tags)
            )
        }

    @operation("TagResource")
    async def tag(self, context: RequestContext, request: "TagResourceRequestTypeDef") -> dict[str, Any]:
        added = dict(request.get("Tags", {}))
        await self._editing.store.write(lambda tx: self._change(tx, request["ResourceArn"], lambda tags: tags | added))
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, request: "UntagResourceRequestTypeDef") -> dict[str, Any]:
        gone = set(request["TagKeys"])

        def change(tags: Tags) -> Tags:
            return {key: value for key, value in tags.items() if key not in gone}

        await self._editing.store.write(lambda tx: self._change(tx, request["ResourceArn"], change))
        return {}

    def _change(self, tx: Tx, arn: str, change: Callable[[Tags], Tags]) -> Tags:
        """Tags after a change; written where it made a difference."""
        arn = unquote(arn)
        found = _ARN.fullmatch(arn)
        if found is None:
            other = self._others(tx, arn)
            if other is None:
                raise faults.not_found("Invalid Resource ARN specified in the request")
            before, write = other
            return _changed(before, change, write)
        if found["stage"] is None:
            api = catalog.api(tx, found["api"])
            return _changed(
                api.members["Tags"],
                change,
                lambda tags: catalog.put_api(tx, replace(api, members={**api.members, "Tags": tags})),
            )
        stage = catalog.part(tx, found["api"], "stage", found["stage"])
        return _changed(
            stage.members["Tags"],
            change,
            lambda tags: catalog.put(tx, found["api"], replace(stage, members={**stage.members, "Tags": tags})),
        )


OtherTags = tuple[Tags, Callable[[Tags], None]]


def _changed(before: Tags, change: Callable[[Tags], Tags], write: Callable[[Tags], None]) -> Tags:
    after = change(before)
    if after != before:
        checks.check_tags(after)
        write(after)
    return after
