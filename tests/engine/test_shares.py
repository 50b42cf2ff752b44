"""Places on instances that run several calls, lent beside calls of the engine, with the runtime that is shipped."""

import asyncio
import dataclasses
import itertools
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from mayfly.clock import SystemClock
from mayfly.engine.api import FailureKind, Target, ThrottledError
from mayfly.engine.engine import LocalEngine
from mayfly.engine.leases import Scope
from mayfly.engine.owner import LentPlaces
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import Exit, SandboxSpec
from mayfly.sandbox.process import ProcessFactory

from .conftest import Recorder, call, result

CODE = """
import asyncio, os

async def handler(event, context):
    print("of", context.aws_request_id)
    if event == "exit":
        os._exit(4)
    try:
        while event and not os.path.exists(event):
            await asyncio.sleep(0.005)
    except asyncio.CancelledError:
        open(event + ".cancelled", "w").close()
        raise
    return os.getpid()
"""


class Front:
    """A borrower that speaks over the sockets that it got, as another process would."""

    def __init__(self, engine: LocalEngine) -> None:
        self._leases = engine.leases
        self.ends: dict[str, socket.socket] = {}
        self.places: dict[str, int] = {}
        self.running: dict[str, int] = {}
        self.deaths: asyncio.Queue[tuple[str, Exit, FailureKind | None]] = asyncio.Queue()
        self._decoders: dict[str, frames.Decoder] = {}
        self._heard: dict[str, deque[frames.Frame]] = {}
        self._numbers = itertools.count(1)

    async def borrow(self, key: str, places: int) -> LentPlaces | None:
        lent = await self._leases.lend_places(key, places, self)
        if lent is not None:
            self.places[lent.lease] = self.places.get(lent.lease, 0) + lent.places
        if lent is not None and lent.end is not None:
            lent.end.setblocking(False)
            self.ends[lent.lease] = lent.end
            self.running[lent.lease] = 0
            self._decoders[lent.lease] = frames.Decoder()
            self._heard[lent.lease] = deque()
        return lent

    async def send(self, lease: str, event: object) -> int:
        number = next(self._numbers)
        self.running[lease] += 1
        head = frames.call_head(f"lent-{number}", 9_999_999_999_999, "arn")
        frame = frames.encode_call(number, head, json.dumps(event).encode())
        await asyncio.get_running_loop().sock_sendall(self.ends[lease], frame)
        return number

    async def hear(self, lease: str, kind: int = frames.RESULT) -> frames.Frame:
        """The next frame of that kind; others are dropped."""
        waiting = self._heard[lease]
        while True:
            while waiting:
                frame = waiting.popleft()
                if frame.kind == kind:
                    self.running[lease] -= kind == frames.RESULT
                    return frame
            data = await asyncio.get_running_loop().sock_recv(self.ends[lease], 65536)
            assert data, "the runtime closed the share"
            waiting.extend(self._decoders[lease].feed(data))

    async def recall(self, scope: Scope, *, busy: bool) -> None:
        for lease in list(self.ends):
            if not self.running[lease]:
                self.give_back(lease)
            elif unused := self.places[lease] - self.running[lease]:
                self.places[lease] -= unused
                self._leases.give_back_places(lease, unused)

    def give_back(self, lease: str) -> None:
        self.ends.pop(lease).close()
        self._leases.give_back(lease, 0, "")

    def died(self, lease: str, how: Exit, verdict: FailureKind | None) -> None:
        self.deaths.put_nowait((lease, how, verdict))
        self.ends.pop(lease).close()

    def die(self) -> None:
        for end in self.ends.values():
            end.close()
        self._leases.lost(self)


@pytest.fixture
async def engine(tmp_path: Path, recorder: Recorder) -> AsyncIterator[LocalEngine]:
    factory = ProcessFactory()
    await factory.prepare("python3.11", interpreters.current())
    numbers = itertools.count(1)
    engine = LocalEngine(
        factory,
        recorder,
        SystemClock(),
        memory_mb=10_000,
        account_concurrency=8,
        new_id=lambda: f"i{next(numbers)}",
        init_timeout_s=30,
    )
    yield engine
    await engine.close(0)
    books = engine._ledger
    assert (books.calls, books.held_mb, books.dying_mb, books.idle_mb) == (0, 0, 0, 0)
    await factory.close()


@pytest.fixture
def made(tmp_path: Path) -> Target:
    """Instances of it run six calls at a time."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(CODE)

    async def environment(instance: str) -> Mapping[str, str]:
        return {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.11"}

    return Target("key", "function", SandboxSpec("python3.11", code), "app.handler", 60.0, environment, concurrency=6)


def touch(path: str) -> None:
    Path(path).touch()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what another process does
            await asyncio.sleep(0.002)


async def test_borrowers_and_the_engine_run_calls_on_one_instance_side_by_side(
    engine: LocalEngine, made: Target, tmp_path: Path, recorder: Recorder
) -> None:
    door, first, second = str(tmp_path / "door"), Front(engine), Front(engine)
    outcome = await engine.invoke(made, call(None))
    one, other = await first.borrow("key", 2), await second.borrow("key", 2)
    assert one is not None
    assert other is not None
    assert [one.instance, other.instance, one.places, other.places] == [outcome.instance, outcome.instance, 2, 2]

    own = asyncio.create_task(engine.invoke(made, call(door, "own")))
    numbers = [await first.send(one.lease, door), await second.send(other.lease, door)]
    lines = [await first.hear(one.lease, frames.OUTPUT), await second.hear(other.lease, frames.OUTPUT)]
    touch(door)

    assert [line.payload for line in lines] == [b"of lent-1\n"] * 2
    assert [line.number for line in lines] == numbers
    replies = [await first.hear(one.lease), await second.hear(other.lease)]
    assert {int(reply.payload) for reply in replies} == {result(outcome), result(await own)}
    assert recorder.lines("own") == ["of own"]
    assert engine.counters().cold_starts == 1
    first.give_back(one.lease)
    second.give_back(other.lease)


async def test_each_place_counts_as_a_call_until_it_is_back(engine: LocalEngine, made: Target, tmp_path: Path) -> None:
    reserved, front = dataclasses.replace(made, reserved_concurrency=3), Front(engine)
    await engine.invoke(reserved, call(None))
    lent = await front.borrow("key", 5)
    assert lent is not None
    assert lent.places == 3
    door = str(tmp_path / "door")
    for _ in range(3):
        await front.send(lent.lease, door)

    assert await front.borrow("key", 1) is None
    with pytest.raises(ThrottledError):
        await engine.invoke(reserved, call(None))

    touch(door)
    for _ in range(3):
        await front.hear(lent.lease)
    front.give_back(lent.lease)
    await engine.invoke(reserved, call(None))


async def test_no_call_is_refused_while_places_are_not_used(engine: LocalEngine, made: Target, tmp_path: Path) -> None:
    reserved, front = dataclasses.replace(made, reserved_concurrency=3), Front(engine)
    await engine.invoke(reserved, call(None))
    lent = await front.borrow("key", 3)
    assert lent is not None
    door = str(tmp_path / "door")
    await front.send(lent.lease, door)

    outcome = await engine.invoke(reserved, call(None))

    assert outcome.failure is None
    assert front.places[lent.lease] == 1
    touch(door)
    await front.hear(lent.lease)
    front.give_back(lent.lease)


async def test_a_share_grows_up_to_the_room_of_its_instance(engine: LocalEngine, made: Target) -> None:
    front = Front(engine)
    await engine.invoke(made, call(None))
    lent = await front.borrow("key", 2)
    assert lent is not None

    more = await front.borrow("key", 50)

    assert more is not None
    assert (more.lease, more.end, more.places) == (lent.lease, None, 4)
    assert await front.borrow("key", 1) is None
    front.give_back(lent.lease)


async def test_the_calls_of_a_borrower_that_dies_are_cancelled_and_no_others(
    engine: LocalEngine, made: Target, tmp_path: Path
) -> None:
    door, others, front = str(tmp_path / "door"), str(tmp_path / "others"), Front(engine)
    reserved = dataclasses.replace(made, reserved_concurrency=3)
    await engine.invoke(reserved, call(None))
    lent = await front.borrow("key", 2)
    assert lent is not None
    own = asyncio.create_task(engine.invoke(reserved, call(others, "own")))
    await front.send(lent.lease, door)
    await front.hear(lent.lease, frames.OUTPUT)

    front.die()

    await until(Path(door + ".cancelled").exists)
    await until(lambda: engine._ledger.calls == 1)
    touch(others)
    assert (await own).failure is None
    assert (await engine.invoke(reserved, call(None))).cold is False


async def test_all_borrowers_are_told_of_the_death_of_an_instance(engine: LocalEngine, made: Target) -> None:
    fronts = [Front(engine), Front(engine)]
    await engine.invoke(made, call(None))
    lent = [await front.borrow("key", 2) for front in fronts]

    outcome = await engine.invoke(made, call("exit"))

    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.exit_status) == ("exited", 4)
    for front, share in zip(fronts, lent, strict=True):
        assert share is not None
        lease, how, verdict = await front.deaths.get()
        assert (lease, how.reason, how.code, verdict) == (share.lease, "exited", 4, None)


async def test_an_instance_with_places_lent_is_not_idle_and_one_without_is(engine: LocalEngine, made: Target) -> None:
    front = Front(engine)
    await engine.invoke(made, call(None))
    lent = await front.borrow("key", 2)
    assert lent is not None

    assert [view.state for view in engine.snapshot()[0].instances] == ["busy"]
    front.give_back(lent.lease)
    assert [view.state for view in engine.snapshot()[0].instances] == ["idle"]


async def test_a_retired_instance_ends_when_all_places_are_back(
    engine: LocalEngine, made: Target, recorder: Recorder
) -> None:
    front = Front(engine)
    instance = (await engine.invoke(made, call(None))).instance
    lent = await front.borrow("key", 2)
    assert lent is not None

    engine.retire("key")
    assert await front.borrow("key", 1) is None
    await front.send(lent.lease, None)
    assert (await front.hear(lent.lease)).kind == frames.RESULT
    front.give_back(lent.lease)

    await recorder.wait_for(lambda: recorder.of("terminated") == [(instance, "retired")])


async def test_what_is_stuck_ends_only_when_nothing_else_goes_on_there(
    engine: LocalEngine, made: Target, tmp_path: Path, recorder: Recorder
) -> None:
    fronts, door = [Front(engine), Front(engine)], str(tmp_path / "door")
    instance = (await engine.invoke(made, call(None))).instance
    lent = [await front.borrow("key", 1) for front in fronts]
    own = asyncio.create_task(engine.invoke(made, call(door, "own")))
    await recorder.wait_for(lambda: recorder.lines("own") == ["of own"])
    for front, share in zip(fronts, lent, strict=True):
        assert share is not None
        await front.send(share.lease, str(tmp_path / "never"))
        engine.leases.condemn(share.lease, "timeout")
    touch(door)

    outcome = await own
    assert (outcome.instance, outcome.failure) == (instance, None)
    await recorder.wait_for(lambda: recorder.of("terminated") == [(instance, "timeout")])
