"""What connections do by themselves: what lasts too long, what nobody reads, what is too much at once."""

import asyncio
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from mayfly.clock import ManualClock
from mayfly.services.apis.websocket import limits
from mayfly.services.apis.websocket.connections import Connection, Connections, FullError
from mayfly.services.apis.websocket.framing import Message


class Stage:
    """Connections whose messages wait until the test lets them go."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ended: list[tuple[str, int]] = []
        self.messages: list[bytes] = []
        self.go = asyncio.Event()
        self.connections = Connections(self.clock, self._message, self._end)

    async def _message(self, connection: Connection, message: Message) -> None:
        self.messages.append(message.data)
        await self.go.wait()

    async def _end(self, connection: Connection, code: int, reason: str) -> None:
        self.ended.append((connection.id, code))

    def connect(self, name: str = "one") -> Connection:
        connection = Connection(self.connections, name, "api", "dev", None)
        self.connections.add(connection)
        connection.attach(lambda held: None)
        return connection


@pytest.fixture
def stage() -> Any:
    return Stage()


def text(data: bytes) -> bytes:
    return Frame(Opcode.TEXT, data).serialize(mask=True)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_idle_connection_is_closed_after_ten_minutes(stage: Stage) -> None:
    connection = stage.connect()
    stage.clock.advance(limits.IDLE_S - 1)
    stage.connections.look()
    connection.feed(Frame(Opcode.PING, b"").serialize(mask=True))
    stage.clock.advance(limits.IDLE_S - 1)
    stage.connections.look()
    assert connection.send(b"still here")
    stage.clock.advance(limits.IDLE_S)
    stage.connections.look()
    assert not connection.send(b"x")
    stage.clock.advance(limits.CLOSING_S)
    stage.connections.look()
    await settle()
    assert stage.ended == [("one", 1001)]


async def test_no_connection_lasts_longer_than_two_hours(stage: Stage) -> None:
    connection = stage.connect()
    while stage.clock.monotonic() < limits.LONGEST_S:
        assert connection.send(b"x")
        stage.clock.advance(300)
        stage.connections.look()
    assert not connection.send(b"x")


async def test_what_a_client_does_not_read_is_refused_to_who_sends_it(stage: Stage) -> None:
    connection = stage.connect()
    most = limits.WAITING_BYTES // 100_000
    assert all(connection.send(b"x" * 100_000) for _ in range(most))
    with pytest.raises(FullError):
        connection.send(b"x" * 100_000)


async def test_a_client_that_sends_too_much_at_once_is_not_read(stage: Stage) -> None:
    connection = stage.connect()
    held: list[bool] = []
    connection.attach(held.append)
    for _ in range(limits.AT_ONCE):
        connection.feed(text(b"m"))
    await settle()
    assert (held, len(stage.messages)) == ([True], limits.AT_ONCE)
    stage.go.set()
    await settle()
    assert held == [True, False]


async def test_what_is_sent_comes_out_in_order_and_ends_with_the_connection(stage: Stage) -> None:
    connection = stage.connect()
    connection.send(b"a")
    reading = asyncio.ensure_future(_all(connection))
    await settle()
    connection.send(b"b")
    await settle()
    connection.end()
    assert await reading == Frame(Opcode.TEXT, b"a").serialize(mask=False) + Frame(Opcode.TEXT, b"b").serialize(
        mask=False
    )
    await settle()
    assert stage.ended == [("one", 1006)]
    assert stage.connections.get("one") is None


async def _all(connection: Connection) -> bytes:
    return b"".join([piece async for piece in connection])


async def test_a_connection_that_nobody_waits_for_is_forgotten(stage: Stage) -> None:
    connection = Connection(stage.connections, "lost", "api", "dev", None)
    stage.connections.add(connection)
    stage.clock.advance(limits.ANSWERED_S)
    stage.connections.look()
    await settle()
    assert [name for name, _ in stage.ended] == ["lost"]


async def test_the_end_of_the_platform_is_the_end_of_all(stage: Stage) -> None:
    stage.connect("one")
    stage.connect("two")
    await stage.connections.start()
    await stage.connections.stop()
    assert sorted(stage.ended) == [("one", 1001), ("two", 1001)]
    assert len(stage.connections) == 0
