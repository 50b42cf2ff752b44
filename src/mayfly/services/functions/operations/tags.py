"""Tags of functions."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import faults, validation
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.egress import FunctionEgress, asked
from mayfly.services.functions.levels import TAG, FunctionLevels
from mayfly.services.functions.model import Function
from mayfly.services.functions.names import Home
from mayfly.services.functions.provisioning import Provisioner
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        ListTagsRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )


class TagOperations:
    """Handlers; see the module."""

    def __init__(
        self, home: Home, editor: Editor, levels: FunctionLevels, egress: FunctionEgress, provisioner: Provisioner
    ) -> None:
        self._home = home
        self._editor = editor
        self._levels = levels
        self._egress = egress
        self._provisioner = provisioner

    @operation("TagResource")
    async def tag(self, context: RequestContext, params: "TagResourceRequestTypeDef") -> dict[str, object]:
        added = params["Tags"]
        if not added:
            raise faults.invalid_parameter("An error occurred and the request cannot be processed.")

        def change(function: Function, tx: Tx) -> Function:
            return self._retag(function, validation.tags({**function.tags, **added}), tx)

        name = self._function(params["Resource"])
        await self._check(name, lambda tags: {**tags, **added})
        await self._editor.change(name, change)
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, params: "UntagResourceRequestTypeDef") -> dict[str, object]:
        removed = frozenset(params["TagKeys"])

        def change(function: Function, tx: Tx) -> Function:
            kept = {key: value for key, value in function.tags.items() if key not in removed}
            return self._retag(function, kept, tx)

        name = self._function(params["Resource"])
        await self._check(name, lambda tags: {key: value for key, value in tags.items() if key not in removed})
        await self._editor.change(name, change)
        return {}

    def _retag(self, function: Function, tags: dict[str, str], tx: Tx) -> Function:
        if function.tags.get(TAG) != tags.get(TAG) or asked(function.tags) != asked(tags):
            self._provisioner.touch(tx, function.name, anew=True)
        return msgspec.structs.replace(function, tags=tags)

    async def _check(self, name: str, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
        """A tag may ask for a level of isolation, or for something to reach, or end that; other tags are as welcome as
        ever."""
        function = await self._editor.find(name)
        before = function.tags
        after = change(before)
        if before.get(TAG) != after.get(TAG):
            await self._levels.check(after)
        if before.get(TAG) != after.get(TAG) or asked(before) != asked(after):
            self._egress.of(after, function.configuration.runtime)

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
