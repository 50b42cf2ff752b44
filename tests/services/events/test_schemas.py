"""Shapes of events: learnt, bounded, shown as JSON Schema; and the book in which they are written down."""

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.events.model import BusKey
from mayfly.services.events.schemas import MOST_NODES, Shape, learn, shown
from tests.services.events.conftest import ACCOUNT, REGION, Events, entry

BUS = BusKey(ACCOUNT, REGION, "default")


def learnt(*values: Any) -> dict[str, Any]:
    shape = Shape()
    for value in values:
        learn(shape, value)
    return shown(shape)


def test_a_shape_has_types_members_and_what_is_always_there() -> None:
    assert learnt({"a": 1, "b": "x"}, {"a": 1.5, "c": [{"d": True}, {"d": None, "e": 1}]}) == {
        "type": "object",
        "properties": {
            "a": {"type": ["integer", "number"]},
            "b": {"type": "string"},
            "c": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"d": {"type": ["boolean", "null"]}, "e": {"type": "integer"}},
                    "required": ["d"],
                },
            },
        },
        "required": ["a"],
    }


def test_a_shape_says_when_it_became_another() -> None:
    shape = Shape()
    assert learn(shape, {"a": 1, "b": 1})
    assert not learn(shape, {"a": 2, "b": 3})
    assert learn(shape, {"a": 1})  # b is not always there
    assert not learn(shape, {"a": 1, "b": 1})
    assert learn(shape, {"a": "x"})


def nodes(schema: dict[str, Any]) -> int:
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return 1 + sum(map(nodes, inner))


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=5),
)


@given(events=st.lists(values, max_size=10))
def test_what_was_learnt_is_json_schema_of_bounded_size(events: list[Any]) -> None:
    schema = learnt(*events)
    json.dumps(schema)
    assert nodes(schema) <= MOST_NODES + 1


def test_hostile_events_do_not_make_a_shape_large() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = {"d": [deep]}
    wide = [{f"k{n}-{m}": {f"x{o}": 1 for o in range(20)} for m in range(50)} for n in range(50)]
    assert nodes(learnt(deep, *wide)) <= MOST_NODES + 1


async def test_a_bus_is_looked_at_only_if_somebody_says_so(events: Events) -> None:
    book = events.service.schemas
    await events.put(entry({"n": 1}))
    assert await book.schemas(BUS) == []
    await book.turn(BUS, on=True)
    await events.put(entry({"n": 1}), entry({"n": 2, "m": "x"}), entry({"o": 1}, kind="other"))
    await asyncio.sleep(0)
    found = await book.schemas(BUS)
    assert [(one.source, one.detail_type, one.seen) for one in found] == [("shop", "other", 1), ("shop", "sold", 2)]
    assert shown(found[1].shape)["required"] == ["n"]
    await book.turn(BUS, on=False)
    await events.put(entry({"n": 1}))
    assert [one.seen for one in await book.schemas(BUS)] == [1, 2]
    await book.forget(BUS)
    assert await book.schemas(BUS) == []


async def test_a_bus_is_still_looked_at_after_a_restart(events: Events) -> None:
    await events.service.schemas.turn(BUS, on=True)
    await events.put(entry({"n": 1}))
    await events.service.schemas.schemas(BUS)
    again = Events(events.store, events.clock, events.targets, events.http, events.limits)
    await again.put(entry({"n": 1}))
    assert [one.seen for one in await again.service.schemas.schemas(BUS)] == [2]
    assert await again.service.schemas.is_on(BUS)


async def test_a_bus_that_is_made_again_has_no_token_of_the_former(events: Events) -> None:
    bus, intake = BusKey(ACCOUNT, REGION, "mine"), events.service.intake
    await events.call("CreateEventBus", Name="mine")
    token = await intake.make_token(bus, "")
    assert await intake.is_token(bus, token)
    assert not await intake.is_token(BUS, token)
    await events.service.schemas.turn(bus, on=True)
    await events.call("DeleteEventBus", Name="mine")
    await events.call("CreateEventBus", Name="mine")
    assert not await intake.is_token(bus, token)
    assert not await events.service.schemas.is_on(bus)
