"""Many small writes as few large ones."""

import asyncio
from collections.abc import Sequence

import pytest

from mayfly.services.functions.tasks.gathering import MOST, UNDER_WAY, Gathering


class Disk:
    """Takes batches, and lets a test end each."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = asyncio.Event()

    async def write(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.go_on.wait()
        if -1 in items:
            raise ValueError("no")
        return [10 * item for item in items]


async def test_what_comes_in_one_turn_is_one_batch_and_each_gets_its_own_answer() -> None:
    disk = Disk()
    disk.go_on.set()
    gathering = Gathering(disk.write)
    assert await asyncio.gather(*(gathering.add(n) for n in range(5))) == [0, 10, 20, 30, 40]
    assert disk.batches == [[0, 1, 2, 3, 4]]


async def test_what_comes_while_others_are_written_gathers() -> None:
    disk = Disk()
    gathering = Gathering(disk.write)
    futures = []
    for n in range(UNDER_WAY + 5):
        futures.append(gathering.add(n))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    disk.go_on.set()
    await asyncio.gather(*futures)
    assert disk.batches == [*([n] for n in range(UNDER_WAY)), list(range(UNDER_WAY, UNDER_WAY + 5))]


async def test_a_batch_has_an_end() -> None:
    disk = Disk()
    disk.go_on.set()
    gathering = Gathering(disk.write)
    await asyncio.gather(*(gathering.add(n) for n in range(2 * MOST + 1)))
    assert [len(batch) for batch in disk.batches] == [MOST, MOST, 1]


async def test_what_fails_fails_for_all_of_the_batch() -> None:
    disk = Disk()
    disk.go_on.set()
    gathering = Gathering(disk.write)
    found = await asyncio.gather(*(gathering.add(n) for n in (1, -1)), return_exceptions=True)
    assert [type(each) for each in found] == [ValueError, ValueError]
    assert found[0] is not found[1]


async def test_or_for_the_one_that_it_is_about() -> None:
    disk = Disk()
    disk.go_on.set()
    gathering = Gathering(disk.write, alone=True)
    found = await asyncio.gather(*(gathering.add(n) for n in (1, -1, 2)), return_exceptions=True)
    assert (found[0], type(found[1]), found[2]) == (10, ValueError, 20)


async def test_who_goes_away_before_gets_nothing_written() -> None:
    disk = Disk()
    disk.go_on.set()
    gathering = Gathering(disk.write)
    gone = gathering.add(1)
    stays = gathering.add(2)
    gone.cancel()
    assert await stays == 20
    assert disk.batches == [[2]]
    with pytest.raises(asyncio.CancelledError):
        await gone
