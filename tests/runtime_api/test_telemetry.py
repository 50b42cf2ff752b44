"""The Telemetry and Logs APIs: who may subscribe to what, and how events come."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.runtime_api.subscription import Event, InvalidSubscriptionError, parse
from mayfly.runtime_api.telemetry import LOGS, TELEMETRY

from .conftest import PATIENCE_S, Answer, Client, Stage

LEAST = {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25}


class Sink:
    """Somebody inside who listens, and keeps what comes. `answers` may be taken away."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.heads: list[str] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self, *, http: bool = True) -> int:
        self._server = await asyncio.start_server(self._request if http else self._lines, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].split("\r\n")[0])
        body = await reader.readexactly(length)
        await self.answers.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        self.heads.append(head)
        self._got(json.loads(body))

    async def _lines(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self._got([json.loads(line)])
        writer.close()

    def _got(self, batch: list[Any]) -> None:
        self.batches.append(batch)
        self._changed.set()

    @property
    def events(self) -> list[Any]:
        return [event for batch in self.batches for event in batch]

    async def until(self, count: int) -> list[Any]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.events) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.events

    async def close(self) -> None:
        self.answers.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    made = Sink()
    yield made
    await made.close()


async def dial() -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    return made


async def extension(stage: Stage, name: str = "e") -> tuple[Client, str]:
    stage.api.telemetry.dial = dial
    client = await stage.client()
    return client, (await client.register(name)).headers["lambda-extension-identifier"]


async def subscribe(stage: Stage, port: int, *types: str, path: str = TELEMETRY, **more: Any) -> Answer:
    client, identifier = await extension(stage)
    asked = {
        "schemaVersion": "2022-12-13" if path == TELEMETRY else "2021-03-18",
        "types": types,
        "buffering": LEAST,
        "destination": {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}/in?x=1"},
        **more,
    }
    return await client.ask("PUT", path, json.dumps(asked).encode(), Lambda_Extension_Identifier=identifier)


async def test_a_subscriber_hears_of_what_it_asked_for_also_of_what_came_before(stage: Stage, sink: Sink) -> None:
    stage.api.telemetry.emit("platform", "platform.initStart", {"phase": "init"})
    stage.api.telemetry.emit("function", "function", "printed before")

    answer = await subscribe(stage, await sink.start(), "platform", "function")
    stage.api.telemetry.emit("extension", "extension", "not for you")
    stage.api.telemetry.emit("function", "function", "printed after")

    assert (answer.status, answer.body) == (200, b'"OK"')
    events = await sink.until(4)
    assert [(event["type"], event["record"]) for event in events] == [
        ("platform.initStart", {"phase": "init"}),
        ("function", "printed before"),
        ("platform.telemetrySubscription", {"name": "e", "state": "Subscribed", "types": ["platform", "function"]}),
        ("function", "printed after"),
    ]
    assert all(event["time"].endswith("Z") and len(event["time"]) == 24 for event in events)
    assert sink.heads[0].startswith("POST /in?x=1 HTTP/1.1\r\n")
    assert stage.heard.lines == ["TELEMETRY\tName: e\tState: Subscribed\tTypes: [Platform, Function]"]


async def test_events_come_as_lines_over_one_connection_by_tcp(stage: Stage, sink: Sink) -> None:
    port = await sink.start(http=False)
    await subscribe(stage, 0, "function", destination={"protocol": "TCP", "port": port})
    for text in ("one", "two"):
        stage.api.telemetry.emit("function", "function", text)
        stage.api.telemetry.flush()

    assert [event["record"] for event in await sink.until(2)] == ["one", "two"]


async def test_a_full_batch_does_not_wait_for_its_time(stage: Stage, sink: Sink) -> None:
    await subscribe(stage, await sink.start(), "function", buffering={**LEAST, "timeoutMs": 30_000})
    for number in range(1000):
        stage.api.telemetry.emit("function", "function", str(number))

    assert len(await sink.until(1000)) == 1000


async def test_what_a_slow_subscriber_does_not_take_is_dropped_and_it_is_told_so(stage: Stage, sink: Sink) -> None:
    await subscribe(stage, await sink.start(), "platform", "function")
    await sink.until(1)
    sink.answers.clear()
    for _ in range(20):
        stage.api.telemetry.emit("function", "function", "x" * 200_000)
    sink.answers.set()
    stage.api.telemetry.flush()

    async with asyncio.timeout(PATIENCE_S):
        while not (dropped := [event for event in sink.events if event["type"] == "platform.logsDropped"]):
            await sink.until(len(sink.events) + 1)
    assert dropped[0]["record"]["droppedRecords"] > 0
    assert dropped[0]["record"]["droppedBytes"] > 200_000
    assert len(sink.events) < 20


async def test_a_subscriber_that_is_not_there_costs_nothing_but_its_events(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    await subscribe(stage, port, "function")
    stage.api.telemetry.emit("function", "function", "lost")
    stage.api.telemetry.flush()
    for _ in range(100):
        await asyncio.sleep(0)


async def test_the_older_interface_knows_the_older_events(stage: Stage, sink: Sink) -> None:
    answer = await subscribe(stage, await sink.start(), "platform", path=LOGS)
    assert answer.status == 200
    emit = stage.api.telemetry.emit
    emit("platform", "platform.initReport", {})
    emit("platform", "platform.start", {"requestId": "r", "version": "1", "tracing": {}})
    emit("platform", "platform.runtimeDone", {"requestId": "r", "status": "success", "metrics": {}})
    emit("platform", "platform.end", {"requestId": "r"})
    emit("platform", "platform.report", {"requestId": "r", "status": "success", "metrics": {"durationMs": 1.0}})

    assert [(event["type"], event["record"]) for event in await sink.until(5)] == [
        ("platform.logsSubscription", {"name": "e", "state": "Subscribed", "types": ["platform"]}),
        ("platform.start", {"requestId": "r", "version": "1"}),
        ("platform.runtimeDone", {"requestId": "r", "status": "success"}),
        ("platform.end", {"requestId": "r"}),
        ("platform.report", {"requestId": "r", "metrics": {"durationMs": 1.0}}),
    ]


async def test_nobody_subscribes_by_both_interfaces(stage: Stage, sink: Sink) -> None:
    port = await sink.start()
    client, identifier = await extension(stage)
    destination = {"protocol": "HTTP", "URI": f"http://sandbox:{port}"}
    asked = json.dumps({"schemaVersion": "2022-07-01", "types": ["function"], "destination": destination}).encode()
    logs = json.dumps({"types": ["function"], "destination": destination}).encode()

    assert (await client.ask("PUT", TELEMETRY, asked, Lambda_Extension_Identifier=identifier)).status == 200
    assert (await client.ask("PUT", TELEMETRY, asked, Lambda_Extension_Identifier=identifier)).status == 200
    assert (await client.ask("PUT", LOGS, logs, Lambda_Extension_Identifier=identifier)).status == 400


async def test_nobody_subscribes_when_init_is_over(stage: Stage) -> None:
    stage.api.telemetry.close_subscription()

    answer = await subscribe(stage, 9, "function")

    assert (answer.status, answer.json["errorType"]) == (403, "Telemetry.SubscriptionClosed")


async def test_only_extensions_subscribe(stage: Stage) -> None:
    client = await stage.client()

    answer = await client.ask("PUT", TELEMETRY, b"{}")

    assert (answer.status, answer.json["errorType"]) == (403, "Extension.MissingExtensionIdentifier")
    assert (await client.ask("GET", TELEMETRY)).status == 404


GOOD = {
    "schemaVersion": "2025-01-29",
    "types": ["platform"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"schemaVersion": "2021-01-01"},
        {"schemaVersion": None},
        {"types": []},
        {"types": ["everything"]},
        {"types": "platform"},
        {"destination": None},
        {"destination": {"protocol": "UDP", "port": 1}},
        {"destination": {"protocol": "TCP", "port": 0}},
        {"destination": {"protocol": "TCP", "port": True}},
        {"destination": {"protocol": "HTTP", "URI": "http://127.0.0.1:4566"}},
        {"destination": {"protocol": "HTTP", "URI": "http://example.com"}},
        {"destination": {"protocol": "HTTP", "URI": "https://sandbox.localdomain:1"}},
        {"destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:1/a b\r\nX: y"}},
        {"destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:99999"}},
        {"buffering": {"maxItems": 999}},
        {"buffering": {"maxBytes": 1_048_577}},
        {"buffering": {"timeoutMs": 24}},
        {"buffering": {"timeoutMs": 30_001}},
        {"buffering": []} | {"buffering": [1]},
    ],
)
def test_what_cannot_be_subscribed_to_is_refused(change: dict[str, Any]) -> None:
    parse("telemetry", json.dumps(GOOD).encode())
    with pytest.raises(InvalidSubscriptionError):
        parse("telemetry", json.dumps(GOOD | change).encode())


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*sorted(GOOD), "buffering"]), _json, st.sampled_from(["telemetry", "logs"]))
def test_whatever_is_asked_for_is_a_subscription_or_refused(name: str, value: Any, api: Any) -> None:
    try:
        wanted = parse(api, json.dumps(GOOD | {name: value}).encode())
    except InvalidSubscriptionError:
        return
    assert 1 <= wanted.port <= 65535
    assert "\r" not in wanted.path


def test_the_first_schema_does_not_know_of_the_function() -> None:
    event = Event("t", "platform", "platform.initStart", {"phase": "init", "functionName": "f"})

    old = parse("telemetry", json.dumps(GOOD | {"schemaVersion": "2022-07-01"}).encode()).render(event)
    new = parse("telemetry", json.dumps(GOOD).encode()).render(event)

    assert old is not None
    assert new is not None
    assert (json.loads(old)["record"], json.loads(new)["record"]["functionName"]) == ({"phase": "init"}, "f")
