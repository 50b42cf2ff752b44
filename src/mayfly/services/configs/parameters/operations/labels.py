"""LabelParameterVersion and UnlabelParameterVersion. A label is on one version of a parameter at most."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from mayfly.services.configs.parameters import catalog, faults, names, telling
from mayfly.services.configs.parameters.model import Parameter, Version
from mayfly.services.configs.scopes import Scope
from mayfly.services.contract import RequestContext, operation
from mayfly.services.ports import PlatformEvents
from mayfly.store.api import Store, Tx

MOST = 10
_LABEL = re.compile(r"(?!aws|ssm|[0-9])[a-zA-Z0-9_.\-]+", re.IGNORECASE)


class LabelOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, events: PlatformEvents) -> None:
        self._store = store
        self._events = events

    @operation("LabelParameterVersion")
    async def label(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """Labels that cannot be one are reported; the others are set, and taken from the version that had them."""
        if len(params["Labels"]) > MOST:
            raise faults.too_many_labels()
        valid = [one for one in dict.fromkeys(params["Labels"]) if _LABEL.fullmatch(one)]

        def change(parameter: Parameter, number: int) -> Parameter:
            return _with(parameter, number, valid)

        _parameter, number = await self._change(context, params, change, tell=bool(valid))
        return {"InvalidLabels": [one for one in params["Labels"] if one not in valid], "ParameterVersion": number}

    @operation("UnlabelParameterVersion")
    async def unlabel(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        removed: list[str] = []

        def change(parameter: Parameter, number: int) -> Parameter:
            version = _version(parameter, number)
            removed[:] = [one for one in dict.fromkeys(params["Labels"]) if one in version.labels]
            kept = tuple(one for one in version.labels if one not in removed)
            return _replaced(parameter, lambda each: kept if each.number == number else each.labels)

        await self._change(context, params, change, tell=False)
        return {
            "RemovedLabels": removed,
            "InvalidLabels": [one for one in dict.fromkeys(params["Labels"]) if one not in removed],
        }

    async def _change(
        self,
        context: RequestContext,
        params: Mapping[str, Any],
        change: Callable[[Parameter, int], Parameter],
        *,
        tell: bool,
    ) -> tuple[Parameter, int]:
        named = names.parse(Scope.of(context), params["Name"])

        def body(tx: Tx) -> tuple[Parameter, int]:
            parameter = catalog.find(tx, named.place)
            if parameter is None:
                raise faults.not_found(params["Name"])
            number = params.get("ParameterVersion") or parameter.latest.number
            after = change(parameter, number)
            catalog.put(tx, named.place, after)
            if tell:
                telling.changed(self._events, tx, "LabelParameterVersion", named.place, after)
            return after, number

        return await self._store.write(body)


def _with(parameter: Parameter, number: int, labels: Sequence[str]) -> Parameter:
    version = _version(parameter, number)
    wanted = tuple(dict.fromkeys((*version.labels, *labels)))
    if len(wanted) > MOST:
        raise faults.too_many_labels()

    def of(each: Version) -> tuple[str, ...]:
        return wanted if each.number == number else tuple(one for one in each.labels if one not in labels)

    return _replaced(parameter, of)


def _replaced(parameter: Parameter, labels_of: Callable[[Version], tuple[str, ...]]) -> Parameter:
    versions = tuple(msgspec.structs.replace(one, labels=labels_of(one)) for one in parameter.versions)
    return msgspec.structs.replace(parameter, versions=versions)


def _version(parameter: Parameter, number: int) -> Version:
    found = next((one for one in parameter.versions if one.number == number), None)
    if found is None:
        raise faults.no_version(parameter.name, number)
    return found
