"""How fast deliveries begin while events are being accepted."""

import asyncio

from mayfly.services.functions.tasks.pace import EVERY_S, STARTS, Pace


async def test_without_a_flood_everything_begins() -> None:
    pace = Pace(lambda: False)
    assert all(pace.admits(0.0) for _ in range(10 * STARTS))


async def test_in_a_flood_so_many_begin_in_each_interval() -> None:
    pace = Pace(lambda: True)
    for interval in range(1, 4):
        now = 1.5 * interval * EVERY_S
        assert sum(pace.admits(now) for _ in range(3 * STARTS)) == STARTS


async def test_who_may_not_begin_is_told_when_to_try_again() -> None:
    pace, told = Pace(lambda: True), asyncio.Event()
    pace.later(told.set)
    pace.later(lambda: None)  # once is enough
    async with asyncio.timeout(60):
        await told.wait()
