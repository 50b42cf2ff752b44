"""APIs in memory: read once, and again after a change, even one that comes while they are read."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from mayfly.services.apis.http import catalog
from mayfly.services.apis.http.compiled import Building, compiled
from mayfly.services.apis.http.exchange import Exchange
from mayfly.services.apis.http.measures import Metering
from mayfly.services.apis.http.model import Api, Part
from mayfly.services.apis.http.snapshots import Snapshots
from mayfly.services.contract import HttpResponse
from mayfly.store.api import Reader, Tx
from mayfly.store.sqlite import SqliteStore

T = TypeVar("T")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def answer(exchange: Exchange) -> HttpResponse:
    return HttpResponse(200)


async def allow(exchange: Exchange) -> None:
    """Anybody."""


BUILDING = Building(
    lambda place, part: answer,
    lambda place, part: lambda scopes: allow,
    lambda route, found: None,
    Metering().of,
)
COMPILED = partial(compiled, account="000000000000", region="us-east-1", building=BUILDING)


class Counting:
    """A store that counts what is read, and lets something happen behind the next read."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.reads = 0
        self.behind: Callable[[], Any] | None = None

    async def read(self, body: Callable[[Reader], T]) -> T:
        self.reads += 1
        found = await self._store.read(body)
        if self.behind is not None:
            await self.behind()
        return found


def write(*keys: str) -> Callable[[Tx], None]:
    def body(tx: Tx) -> None:
        catalog.put_api(tx, Api("abc", "HTTP", {"Name": "a"}))
        stage = {"AutoDeploy": True, "RouteSettings": {}, "StageVariables": {}, "CreatedDate": NOW}
        catalog.put(tx, "abc", Part("stage", "$default", stage))
        catalog.remove_children(tx, "abc", "route", "")
        for number, key in enumerate(keys):
            catalog.put(tx, "abc", Part("route", f"r{number}", {"RouteKey": key}))

    return body


def routed(found: Any, path: str) -> bool:
    return found.stages["$default"].table.match("GET", path) is not None


async def test_an_api_is_read_once_and_again_after_a_change(store: SqliteStore) -> None:
    counting = Counting(store)
    snapshots = Snapshots(counting, COMPILED)  # type: ignore[arg-type]
    assert await snapshots.get("abc") is None
    await store.write(write("GET /a"))
    first = await snapshots.get("abc")
    assert snapshots.peek("abc") is first is await snapshots.get("abc")
    assert counting.reads == 2
    await store.write(write("GET /b"))
    snapshots.forget("abc")
    assert snapshots.peek("abc") is None
    assert routed(await snapshots.get("abc"), "/b")


async def test_a_change_behind_the_read_is_not_missed(store: SqliteStore) -> None:
    await store.write(write("GET /a"))
    counting = Counting(store)
    snapshots = Snapshots(counting, COMPILED)  # type: ignore[arg-type]

    async def change() -> None:
        counting.behind = None
        await store.write(write("GET /b"))
        snapshots.forget("abc")

    counting.behind = change
    found = await snapshots.get("abc")
    assert routed(found, "/b")
    assert not routed(found, "/a")
