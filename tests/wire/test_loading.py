"""Models and services come with their first request: beside the loop, once, and again after a failure."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mayfly.clock import SystemClock
from mayfly.services.contract import HttpRequest, HttpResponse, LateService, Principal, Service
from mayfly.settings import Settings
from mayfly.wire.gateway import Caller, Gateway
from mayfly.wire.operations import MAX_PASSING, Catalogue, ServiceWire

from .platform import MODELS, Keys, Recorder, Stream, gateway


class Slow(LateService):
    """A service that takes a while to build, fails the first few times, and says how often it was built."""

    def __init__(self, service: Recorder, failures: int = 0) -> None:
        self.name = service.name
        self.asked = 0
        self._service = service
        self._failures = failures

    async def ready(self) -> Service:
        self.asked += 1
        if self.asked <= self._failures:
            raise OSError("the disk is away")
        return self._service


def requests_for(door: Gateway, count: int) -> Coroutine[Any, Any, list[HttpResponse]]:
    """So many identical, signed requests at once."""

    async def ask() -> list[HttpResponse]:
        return await asyncio.gather(*(door.handle_for(tables_request(), TABLES) for _ in range(count)))

    return ask()


TABLES = Caller(Principal("root", "000000000000", "arn:aws:iam::000000000000:root", "0"), "dynamodb", "us-east-1")


def tables_request() -> HttpRequest:
    headers = [("x-amz-target", "DynamoDB_20120810.ListTables"), ("content-type", "application/x-amz-json-1.0")]
    return HttpRequest("POST", "/", "", headers, Stream(b"{}"), "127.0.0.1", "127.0.0.1", "id", content=b"{}")


def test_a_gateway_has_no_model_before_a_request_needs_it_and_of_a_service_what_was_asked_of_it() -> None:
    door = gateway(Recorder("lambda", {"Invoke": {}}), Recorder("dynamodb", {"ListTables": {}, "PutItem": {}}))
    assert door.catalogue._services == {}
    (reply,) = asyncio.run(requests_for(door, 1))
    assert reply.status == 200
    assert set(door.catalogue._services) == {"dynamodb"}
    assert set(door.catalogue.service("dynamodb")._operations) == {("ListTables", "json")}


def test_what_is_warmed_is_routed_without_waiting() -> None:
    door = gateway(Recorder("lambda", {"Invoke": {}}), Recorder("dynamodb", {"ListTables": {}}))
    door.warm(["lambda"])
    assert set(door.catalogue._services) == {"lambda"}
    assert door.catalogue.service("lambda").paths.knows("/2015-03-31/functions/f/invocations")


def test_first_requests_at_once_load_a_model_once_and_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    door = gateway(Recorder("dynamodb", {"ListTables": {}}))
    threads: list[str] = []
    load = door.catalogue._load

    def noted(name: str) -> ServiceWire:
        threads.append(threading.current_thread().name)
        return load(name)

    monkeypatch.setattr(door.catalogue, "_load", noted)
    replies = asyncio.run(requests_for(door, 20))
    assert [reply.status for reply in replies] == [200] * 20
    assert len(threads) == 1
    assert threads[0] != threading.main_thread().name


def test_a_service_that_cannot_be_built_fails_that_request_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    service = Slow(Recorder("dynamodb", {"ListTables": {"TableNames": []}}), failures=1)
    door = Gateway(
        {"dynamodb": service},
        Keys(),
        Settings(data=Path("unused")),
        SystemClock(),
        Catalogue(MODELS, frozenset({"dynamodb"}), on_the_spot=False),
    )
    statuses = [asyncio.run(requests_for(door, 1))[0].status for _ in range(3)]
    assert statuses == [500, 200, 200]
    assert service.asked == 2  # the third finds it built
    assert "the disk is away" in caplog.text


def test_a_model_that_cannot_be_read_fails_that_request_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    door = gateway(Recorder("dynamodb", {"ListTables": {"TableNames": []}}))
    load = door.catalogue._load
    answers: list[Callable[[str], ServiceWire]] = [lambda name: _raise(OSError("the disk is away")), load]
    monkeypatch.setattr(door.catalogue, "_load", lambda name: answers.pop(0)(name))  # noqa: PLW0108  # another one each time
    statuses = [asyncio.run(requests_for(door, 1))[0].status for _ in range(3)]
    assert statuses == [500, 200, 200]
    assert "the disk is away" in caplog.text


def _raise(error: Exception) -> Any:
    raise error


def test_a_scope_of_more_services_than_are_remembered_by_chance_is_routed() -> None:
    door = gateway(Recorder("dynamodb", {"ListTables": {}}))
    most = max(door.catalogue.models.index().by_scope.values(), key=len)
    assert len(most) <= MAX_PASSING
    request = HttpRequest("GET", "/nowhere", "", [], Stream(b""), "127.0.0.1", "127.0.0.1", "id", content=b"")
    reply = asyncio.run(door.handle_for(request, replace(TABLES, service=most[0].signing_name)))
    assert reply.status in (400, 404)
