"""What is made late is made once, beside the loop, again after a failure, and ended if it was ever made."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from mayfly.late import EndingError, Late, Living, Loads


class Thing:
    """Notes what happens to it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.threads: set[str] = set()
        self.failures: list[Exception] = []
        self.running = asyncio.Event()

    def living(self) -> Living["Thing"]:
        self.threads.add(threading.current_thread().name)
        self._fail_or("made")
        return Living(self, self.start, self.run, self.stop)

    async def start(self) -> None:
        self._fail_or("started")

    async def run(self) -> None:
        self.events.append("running")
        self.running.set()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.events.append("stopped")

    def _fail_or(self, event: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.events.append(event)


async def test_it_is_made_once_in_a_thread_however_many_ask_at_once() -> None:
    thing = Thing()
    late = Late("thing", thing.living)
    found = await asyncio.gather(*(late.ready() for _ in range(50)))
    await thing.running.wait()
    assert set(found) == {thing}
    assert thing.events == ["made", "started", "running"]
    assert thing.threads != {threading.main_thread().name}


async def test_nothing_is_made_before_it_is_needed_and_nothing_ended_that_was_not_made() -> None:
    thing = Thing()
    late = Late("thing", thing.living)
    assert late.made is None
    await late.close()
    assert thing.events == []


async def test_the_loop_goes_on_while_it_is_made() -> None:
    gate, thing = threading.Event(), Thing()

    def slowly() -> Living[Thing]:
        assert gate.wait(30)
        return thing.living()

    late = Late("thing", slowly)
    waiting = asyncio.create_task(late.ready())
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    assert await waiting is thing


@pytest.mark.parametrize("before", [[], ["made"]])
async def test_a_failure_is_told_to_who_waits_and_the_next_one_tries_again(
    before: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    thing = Thing()
    late = Late("thing", thing.living)
    if before:  # it can be made, but not be started
        await asyncio.to_thread(late.make)
    thing.failures.append(OSError("away"))
    told = await asyncio.gather(late.ready(), late.ready(), return_exceptions=True)
    assert [str(each) for each in told] == ["away", "away"]
    assert "thing could not be loaded or started" in caplog.text
    assert await late.ready() is thing
    assert thing.events == ["made", "started"] or thing.events == ["made", "started", "running"]


async def test_who_cannot_wait_has_it_at_once_and_the_loop_starts_it() -> None:
    thing = Thing()
    late = Late("thing", thing.living)
    assert await asyncio.to_thread(late.now) is thing
    async with asyncio.timeout(30):
        await thing.running.wait()
    assert thing.events == ["made", "started", "running"]


async def test_two_threads_and_the_loop_make_one_thing() -> None:
    thing = Thing()
    late = Late("thing", thing.living)
    found = await asyncio.gather(late.ready(), asyncio.to_thread(late.now), asyncio.to_thread(late.now))
    assert set(found) == {thing}
    assert thing.events.count("made") == 1
    await late.ready()
    assert thing.events.count("started") == 1


async def test_who_goes_away_does_not_take_it_along() -> None:
    thing = Thing()
    late = Late("thing", thing.living)
    leaving, staying = asyncio.create_task(late.ready()), asyncio.create_task(late.ready())
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying is thing


async def test_what_was_made_ends_with_the_platform_and_what_was_not_is_refused_then() -> None:
    thing, never = Thing(), Thing()
    late, unused = Late("thing", thing.living), Late("never", never.living)
    await late.ready()
    await thing.running.wait()
    for each in (late, unused):
        await each.close()
    assert thing.events == ["made", "started", "running", "stopped"]
    with pytest.raises(EndingError, match="never was not needed so far"):
        await unused.ready()
    assert await late.ready() is thing  # for who had it before


async def test_work_that_ends_with_an_error_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise OSError("the disk is away")

    late = Late("thing", lambda: Living("it", run=fails))
    await late.ready()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "the work of thing in the background has ended" in caplog.text
    await late.close()


async def test_loads_run_once_a_key_and_again_after_they_are_over() -> None:
    gate, loads, ran = threading.Event(), Loads(), list[str]()

    def load(key: str) -> Callable[[], str]:
        def work() -> str:
            assert gate.wait(30)
            ran.append(key)
            return key

        return work

    asked = asyncio.gather(*(loads.once(key, load(key)) for key in ("a", "b", "a", "a")))
    await asyncio.sleep(0)
    gate.set()
    assert await asked == ["a", "b", "a", "a"]
    assert sorted(ran) == ["a", "b"]
    assert await loads.once("a", load("a")) == "a"
    assert sorted(ran) == ["a", "a", "b"]
