"""What operations on filters of both kinds share."""

from collections.abc import Callable, Mapping
from typing import Any

from mayfly.services.telemetry import faults, patterns, tokens
from mayfly.services.telemetry import statements as sql
from mayfly.services.telemetry.book import Book, prefix_range
from mayfly.services.telemetry.filters import MOST, Filter, Kind, Subscription, Transformation, packed, unpacked
from mayfly.services.telemetry.model import PAGE_GROUPS
from mayfly.services.telemetry.operations.naming import existing_group
from mayfly.services.telemetry.patterns import Pattern
from mayfly.store.api import Reader, Store, Tx


def checked_pattern(text: str) -> Pattern:
    """The pattern; InvalidParameterException."""
    try:
        return patterns.parse(text)
    except patterns.PatternError as error:
        raise faults.invalid(str(error)) from error


def put_filter(
    tx: Tx, book: Book, kind: Kind, group: str, name: str, pattern: str, said: Subscription | Transformation, now: int
) -> None:
    """Put a filter, in place of one of that name; LimitExceededException, ResourceNotFoundException."""
    found = existing_group(tx, group)
    place = {"group": found.id, "kind": kind, "name": name}
    row = {**place, "group_name": group, "pattern": pattern, "settings": packed(said), "created_ms": now}
    tx.run(sql.PUT_FILTER, row)
    if len([one for one in tx.all(sql.FILTERS_OF_GROUP, {"group": found.id}) if one[0] == kind]) > MOST[kind]:
        raise faults.limit_exceeded()
    book.filters.changed(tx, found.id)


def delete_filter(tx: Tx, book: Book, kind: Kind, group: str, name: str) -> None:
    """ResourceNotFoundException."""
    found = existing_group(tx, group)
    if not tx.run(sql.DELETE_FILTER, {"group": found.id, "kind": kind, "name": name}):
        raise faults.filter_missing()
    book.filters.changed(tx, found.id)


async def page_of(
    store: Store,
    kind: Kind,
    request: Mapping[str, Any],
    member: str,
    shape: Callable[[Filter], dict[str, Any]],
    wanted: Callable[[Filter], bool] = lambda found: True,
) -> dict[str, Any]:
    """A page of filters, in order of groups and names."""
    limit, only = request.get("limit", PAGE_GROUPS), request.get("logGroupName")
    after = ["", ""]
    if "nextToken" in request:
        after = tokens.decode(request["nextToken"], kind)[1]
        if len(after) != 2:
            raise faults.bad_token()

    def body(reader: Reader) -> list[Filter]:
        if only is not None:
            existing_group(reader, only)
        found: list[Filter] = []
        place = after
        while len(found) <= limit:
            bounds = {**prefix_range(request.get("filterNamePrefix", "")), "kind": kind, "only": only, "limit": 100}
            rows = reader.all(sql.LIST_FILTERS, {**bounds, "after_group": place[0], "after_name": place[1]})
            found += [one for one in map(unpacked, rows) if wanted(one)]
            if len(rows) < 100:
                break
            place = [rows[-1][2], rows[-1][1]]
        return found

    found = await store.read(body)
    reply: dict[str, Any] = {member: [shape(one) for one in found[:limit]]}
    if len(found) > limit:
        reply["nextToken"] = tokens.encode(kind, found[limit - 1].group, found[limit - 1].name)
    return reply
