"""Tags of functions, and of whatever else can be tagged."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

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


class Taggable(Protocol):
    """Resources of one kind, by ARN; `ServiceError` where there is none."""

    async def tags(self, arn: str) -> Mapping[str, str]: ...

    async def retag(self, arn: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None: ...


class TagOperations:
    """Handlers; see the module."""

    def __init__(
        self,
        home: Home,
        editor: Editor,
        levels: FunctionLevels,
        egress: FunctionEgress,
        provisioner: Provisioner,
        others: Mapping[str, Taggable],
    ) -> None:
        """`others`: what is no function, by the word for it in ARNs."""
        self._others = others
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

        if (other := self._other(params["Resource"])) is not None:
            await other.retag(params["Resource"], lambda tags: validation.tags({**tags, **added}))
            return {}
        name = self._function(params["Resource"])
        await self._check(name, lambda tags: {**tags, **added})
        await self._editor.change(name, change)
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, params: "UntagResourceRequestTypeDef") -> dict[str, object]:
        removed = frozenset(params["TagKeys"])

        def change(function: Function, tx: Tx) -> Function:
            return self._retag(function, kept(function.tags), tx)

        def kept(tags: Mapping[str, str]) -> dict[str, str]:
            return {key: value for key, value in tags.items() if key not in removed}

        if (other := self._other(params["Resource"])) is not None:
            await other.retag(params["Resource"], kept)
            return {}
        name = self._function(params["Resource"])
        await self._check(name, kept)
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
        if (other := self._other(params["Resource"])) is not None:
            return {"Tags": dict(await other.tags(params["Resource"]))}
        function = await self._editor.find(self._function(params["Resource"]))
        return {"Tags": dict(function.tags)}

    def _other(self, arn: str) -> Taggable | None:
        """What knows a resource that is no function."""
        parts = arn.split(":", 6)
        return self._others.get(parts[5]) if len(parts) == 7 else None

    def _function(self, arn: str) -> str:
        if ":function:" not in arn:
            kinds = ", ".join(("function", *self._others))
            raise faults.resource_not_found(f"There is no resource {arn} that can be tagged: what can be is {kinds}.")
        reference = self._home.parse(arn)
        if reference.qualifier:
            raise faults.invalid_parameter(
                "Tags on function aliases and versions are not supported. Please specify a function ARN."
            )
        return reference.name
