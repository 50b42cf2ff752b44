"""Results that come in parts: in order, at their reader's pace, and never in the way of the call."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mayfly.clock import SystemClock
from mayfly.engine.api import Outcome, Target
from mayfly.engine.engine import LocalEngine
from mayfly.engine.streamed import Streamed
from mayfly.sandbox import frames

from .conftest import Recorder, call, target
from .puppets import Puppet, Puppets, calm


class Scene:
    """An engine, one call that runs, and the runtime that answers it."""

    def __init__(self) -> None:
        self.puppets = Puppets()
        self.engine = LocalEngine(
            self.puppets, Recorder(), SystemClock(), memory_mb=1024, new_id=iter(map(str, range(99))).__next__
        )
        self.into = Streamed(10 << 20)
        self.running: asyncio.Task[Outcome]

    async def begin(self, subject: Target, *, whole: bool = False) -> None:
        called = asyncio.Event()
        self.puppets.on_call = lambda _: called.set()
        into = None if whole else self.into
        self.running = asyncio.create_task(self.engine.invoke(subject, call(None, "r"), into))
        self.running.add_done_callback(lambda _: self.into.end())
        async with asyncio.timeout(10):
            await called.wait()

    @property
    def puppet(self) -> Puppet:
        return self.puppets.made[0]

    async def say(self, kind: int, meta: dict[str, Any] | None = None, payload: bytes = b"") -> None:
        frame = frames.encode(kind, meta, payload, self.puppets.calls["r"][1])
        await asyncio.get_running_loop().sock_sendall(self.puppet.theirs, frame)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.engine.close(0)
    await scene.puppets.close()


async def test_parts_reach_their_reader_before_the_call_has_ended(scene: Scene) -> None:
    await scene.begin(target("hello.handler"))
    await scene.say(frames.STREAM, {"content_type": "text/plain"})
    await scene.say(frames.CHUNK, None, b"one,")
    assert await scene.into.begun()
    assert scene.into.content_type == "text/plain"
    parts = aiter(scene.into)
    assert await anext(parts) == b"one,"
    assert not scene.running.done()
    await scene.say(frames.CHUNK, None, b"two")
    assert await anext(parts) == b"two"
    await scene.say(frames.RESULT)
    assert [part async for part in parts] == []
    outcome = await scene.running
    assert (outcome.payload, outcome.failure, outcome.content_type) == (b"", None, "text/plain")


async def test_a_whole_answer_begins_no_stream(scene: Scene) -> None:
    await scene.begin(target("hello.handler"))
    await scene.say(frames.RESULT, None, b'"whole"')
    assert not await scene.into.begun()
    assert (await scene.running).payload == b'"whole"'


async def test_parts_are_put_together_for_a_caller_that_wants_the_whole(scene: Scene) -> None:
    await scene.begin(target("hello.handler"), whole=True)
    await scene.say(frames.STREAM, {"content_type": "a/b"})
    for part in (b"x", b"", b"yz"):
        await scene.say(frames.CHUNK, None, part)
    await scene.say(frames.RESULT)
    outcome = await scene.running
    assert (outcome.payload, outcome.content_type) == (b"xyz", "a/b")


async def test_a_runtime_is_told_of_room_only_as_its_reader_takes_what_came(scene: Scene) -> None:
    await scene.begin(target("hello.handler"))
    await scene.say(frames.STREAM)
    part = bytes(frames.STREAM_WINDOW // 8)
    for _ in range(8):
        await scene.say(frames.CHUNK, None, part)
    await scene.into.begun()
    await calm()
    assert scene.puppet.taken == 0
    parts = aiter(scene.into)
    for _ in range(8):
        await anext(parts)
    await calm()
    assert scene.puppet.taken == frames.STREAM_WINDOW


async def test_a_reader_that_goes_away_does_not_hold_the_call_up(scene: Scene) -> None:
    await scene.begin(target("hello.handler"))
    await scene.say(frames.STREAM)
    await scene.say(frames.CHUNK, None, b"first")
    async for _ in scene.into:
        break
    scene.into.abandon()
    part = bytes(frames.STREAM_WINDOW // 2)
    for _ in range(6):
        await scene.say(frames.CHUNK, None, part)
        await calm()
    assert scene.puppet.taken >= 3 * frames.STREAM_WINDOW
    await scene.say(frames.RESULT)
    assert (await scene.running).failure is None


async def test_a_function_that_fails_on_the_way_fails_the_call_after_what_it_sent(scene: Scene) -> None:
    await scene.begin(target("hello.handler"))
    await scene.say(frames.STREAM)
    await scene.say(frames.CHUNK, None, b"half")
    await scene.say(frames.ERROR, {"fatal": False}, b'{"errorType":"E"}')
    assert [part async for part in scene.into] == [b"half"]
    outcome = await scene.running
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.payload) == ("raised", b'{"errorType":"E"}')


async def test_a_call_that_runs_out_of_time_ends_its_stream(scene: Scene) -> None:
    await scene.begin(dataclasses.replace(target("hello.handler"), timeout_s=0.05))
    await scene.say(frames.STREAM)
    await scene.say(frames.CHUNK, None, b"half")
    assert [part async for part in scene.into] == [b"half"]
    outcome = await scene.running
    assert outcome.failure is not None
    assert outcome.failure.kind == "timeout"


async def test_more_than_is_wanted_is_dropped_and_told(scene: Scene) -> None:
    scene.into = Streamed(4)
    await scene.begin(target("hello.handler"))
    await scene.say(frames.STREAM)
    await scene.say(frames.CHUNK, None, b"1234")
    await scene.say(frames.CHUNK, None, b"5")
    await scene.say(frames.RESULT)
    assert b"".join([part async for part in scene.into]) == b"1234"
    assert scene.into.too_large


@pytest.mark.parametrize(
    "said",
    [
        [(frames.CHUNK, b"no head")],
        [(frames.STREAM, b""), (frames.STREAM, b"")],
        [(frames.STREAM, b""), (frames.CHUNK, bytes(frames.STREAM_WINDOW + 1))],
    ],
    ids=["a chunk without its head", "two heads", "more than there is room for"],
)
async def test_a_runtime_that_does_not_keep_to_the_rules_is_ended(scene: Scene, said: list[tuple[int, bytes]]) -> None:
    await scene.begin(target("hello.handler"))
    whole = b"".join(frames.encode(kind, None, data, scene.puppets.calls["r"][1]) for kind, data in said)
    await asyncio.get_running_loop().sock_sendall(scene.puppet.theirs, whole)
    outcome = await scene.running
    assert outcome.failure is not None
    assert outcome.failure.kind == "protocol"
