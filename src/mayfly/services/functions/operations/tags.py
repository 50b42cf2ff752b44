"""Tags of functions."""

from typing import TYPE_CHECKING

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import faults, validation
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import Function
from mayfly.services.functions.names import Home
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        ListTagsRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )


class TagOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor) -> None:
        self._home = home
        self._editor = editor

    @operation("TagResource")
    async def tag(self, context: RequestContext, params: "TagResourceRequestTypeDef") -> dict[str, object]:
        added = params["Tags"]
        if not added:
            raise faults.invalid_parameter("An error occurred and the request cannot be processed.")

        def change(function: Function, tx: Tx) -> Function:
            return msgspec.structs.replace(function, tags=validation.tags({**function.tags, **added}))

        await self._editor.change(self._function(params["Resource"]), change)
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, params: "UntagResourceRequestTypeDef") -> dict[str, object]:
        removed = frozenset(params["TagKeys"])

        def change(function: Function, tx: Tx) -> Function:
            kept = {key: value for key, value in function.tags.items() if key not in removed}
            return msgspec.structs.replace(function, tags=kept)

        await self._editor.change(self._function(params["Resource"]), change)
        return {}

    @operation("ListTags")
    async def list(self, context: RequestContext, params: "ListTagsRequestTypeDef") -> dict[str, object]:
        function = await self._editor.find(self._function(params["Resource"]))
        return {"Tags": dict(function.tags)}

    def _function(self, arn: str) -> str:
        if ":function:" not in arn:
            raise faults.resource_not_found(f"There is no resource {arn}: only functions can be tagged.")
        reference = self._home.parse(arn)
        if reference.qualifier:
            raise faults.invalid_parameter(
                "Tags on function aliases and versions are not supported. Please specify a function ARN."
            )
        return reference.name
