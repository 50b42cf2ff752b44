"""Tags of parameters."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mayfly.services.configs.parameters import catalog, names, versions
from mayfly.services.configs.parameters.model import Place
from mayfly.services.configs.scopes import Scope
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.store.api import Store, Tx


class TagOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("AddTagsToResource")
    async def add(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        await self._change(context, params, lambda tags: versions.tags_of(params["Tags"], tags))
        return {}

    @operation("RemoveTagsFromResource")
    async def remove(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def without(tags: dict[str, str]) -> dict[str, str]:
            return {key: value for key, value in tags.items() if key not in params["TagKeys"]}

        await self._change(context, params, without)
        return {}

    @operation("ListTagsForResource")
    async def list_tags(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        place = _place(context, params)
        parameter = await self._store.read(lambda reader: catalog.find(reader, place))
        if parameter is None:
            raise _unknown(params)
        return {"TagList": [{"Key": key, "Value": value} for key, value in parameter.tags.items()]}

    async def _change(
        self, context: RequestContext, params: Mapping[str, Any], change: Callable[[dict[str, str]], dict[str, str]]
    ) -> None:
        place = _place(context, params)

        def body(tx: Tx) -> None:
            parameter = catalog.find(tx, place)
            if parameter is None:
                raise _unknown(params)
            catalog.put(tx, place, msgspec.structs.replace(parameter, tags=change(parameter.tags)))

        await self._store.write(body)


def _place(context: RequestContext, params: Mapping[str, Any]) -> Place:
    if params["ResourceType"] != "Parameter":
        raise ServiceError(
            "InvalidResourceType",
            f"Mayfly keeps parameters of Systems Manager, and nothing of the type {params['ResourceType']}.",
        )
    return names.place_of(Scope.of(context), params["ResourceId"])


def _unknown(params: Mapping[str, Any]) -> ServiceError:
    return ServiceError(
        "InvalidResourceId",
        f'The resource ID "{params["ResourceId"]}" is not valid. Verify the ID and try again.',
    )
