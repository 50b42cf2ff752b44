"""Pages of secrets, for ListSecrets and BatchGetSecretValue."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mayfly.services import page_tokens
from mayfly.services.configs.scopes import Scope
from mayfly.services.configs.secrets import catalog, faults, filters
from mayfly.services.configs.secrets.desk import Desk
from mayfly.services.configs.secrets.model import Place, Secret
from mayfly.services.contract import RequestContext
from mayfly.store.api import Reader

PAGE = 100
_Order = Callable[[Secret], tuple[Any, ...]]
_ORDERS: Mapping[str, _Order] = MappingProxyType(
    {
        "created-date": lambda secret: (secret.created_at, secret.name),
        "last-accessed-date": lambda secret: (secret.accessed_at or 0.0, secret.name),
        "last-changed-date": lambda secret: (secret.changed_at, secret.name),
        "name": lambda secret: (secret.name,),
    }
)


async def page(
    desk: Desk, context: RequestContext, params: Mapping[str, Any]
) -> tuple[list[tuple[Place, Secret]], dict[str, str]]:
    """Those that are to be shown, and the token of the next page; `ServiceError`."""
    tests = filters.tests_of(params.get("Filters", ()))
    deleted, size = params.get("IncludePlannedDeletion", False), params.get("MaxResults", PAGE)
    begin = page_tokens.number_after(params.get("NextToken") or None, faults.bad_token)
    order = _ORDERS[params.get("SortBy", "created-date")]

    def body(reader: Reader) -> list[tuple[Place, Secret]]:
        return [
            (place, secret)
            for place, secret in catalog.walk(reader, Scope.of(context))
            if (deleted or secret.deleted_at is None) and all(test(secret) for test in tests)
        ]

    found = await desk.store.read(body)
    found.sort(key=lambda one: order(one[1]), reverse=params.get("SortOrder") == "desc")
    more = {"NextToken": page_tokens.encode(str(begin + size))} if len(found) > begin + size else {}
    return found[begin : begin + size], more
