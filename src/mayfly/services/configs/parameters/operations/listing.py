"""GetParametersByPath, DescribeParameters and GetParameterHistory."""

from collections.abc import Callable, Mapping
from typing import Any

from mayfly.services import page_tokens
from mayfly.services.configs.parameters import catalog, faults, filters, names
from mayfly.services.configs.parameters.filters import Test
from mayfly.services.configs.parameters.model import Parameter, Place, Version
from mayfly.services.configs.parameters.names import Named
from mayfly.services.configs.parameters.values import Values, described
from mayfly.services.configs.scopes import Scope
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Store

_PAGE, _HISTORY_PAGE = 10, 50


class ListingOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, values: Values) -> None:
        self._store = store
        self._values = values

    @operation("GetParametersByPath")
    async def by_path(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        names.check_path(params["Path"])
        scope, prefix = Scope.of(context), names.under(params["Path"])
        tests = filters.of_path(params.get("ParameterFilters", ()))
        recursive, decrypt = params.get("Recursive", False), params.get("WithDecryption", False)
        by_label = any(one["Key"] == "Label" for one in params.get("ParameterFilters", ()))

        def show(reader: Reader, place: Place, parameter: Parameter) -> dict[str, Any] | None:
            if not filters.is_under(place.path, prefix, recursive=recursive):
                return None
            for version in reversed(parameter.versions) if by_label else (parameter.latest,):
                if _passes(tests, place, parameter, version):
                    named = Named(place, parameter.name)
                    return self._values.parameter(reader, named, parameter, version, decrypt=decrypt)
            return None

        return await self._page(scope, prefix, params, show)

    @operation("DescribeParameters")
    async def describe(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        old, new = params.get("Filters", ()), params.get("ParameterFilters", ())
        if old and new:
            raise faults.validation("You can use either Filters or ParameterFilters in a single request.")
        tests = filters.of_old_list(old) + filters.of_list(new)
        if params.get("Shared", False):
            return {"Parameters": []}  # other accounts share nothing here

        def show(reader: Reader, place: Place, parameter: Parameter) -> dict[str, Any] | None:
            if not _passes(tests, place, parameter, parameter.latest):
                return None
            return {"Name": parameter.name, "ARN": place.arn, **described(parameter.latest)}

        return await self._page(Scope.of(context), "/", params, show)

    async def _page(
        self,
        scope: Scope,
        prefix: str,
        params: Mapping[str, Any],
        show: Callable[[Reader, Place, Parameter], dict[str, Any] | None],
    ) -> dict[str, Any]:
        """One page of what `show` makes something of."""
        after = page_tokens.after(params.get("NextToken") or None, faults.bad_token)
        size = params.get("MaxResults", _PAGE)

        def body(reader: Reader) -> tuple[list[dict[str, Any]], str | None]:
            found: list[dict[str, Any]] = []
            last = after
            for place, parameter in catalog.walk(reader, scope, prefix, after):
                shown = show(reader, place, parameter)
                if shown is None:
                    continue
                if len(found) == size:
                    return found, last
                found.append(shown)
                last = place.path
            return found, None

        found, last = await self._store.read(body)
        more = {"NextToken": page_tokens.encode(last)} if last is not None else {}
        return {"Parameters": found, **more}

    @operation("GetParameterHistory")
    async def history(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        named = names.parse(Scope.of(context), params["Name"])
        size, decrypt = params.get("MaxResults", _HISTORY_PAGE), params.get("WithDecryption", False)
        after = page_tokens.number_after(params.get("NextToken") or None, faults.bad_token)

        def body(reader: Reader) -> tuple[list[dict[str, Any]], bool]:
            parameter = catalog.find(reader, named.place)
            if parameter is None:
                raise faults.not_found(params["Name"])
            following = [version for version in parameter.versions if version.number > after]
            shown = [
                {
                    "Name": parameter.name,
                    "Value": self._values.shown(reader, named.place, version, decrypt=decrypt),
                    "Labels": list(version.labels),
                    **described(version),
                }
                for version in following[:size]
            ]
            return shown, len(following) > size

        found, more = await self._store.read(body)
        token = {"NextToken": page_tokens.encode(str(found[-1]["Version"]))} if more else {}
        return {"Parameters": found, **token}


def _passes(tests: list[Test], place: Place, parameter: Parameter, version: Version) -> bool:
    return all(test(place, parameter, version) for test in tests)
