"""The engine on programs that are web servers: readiness, requests of events, answers whole and in parts."""

import asyncio
import base64
import dataclasses
import itertools
import json
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import SystemClock
from mayfly.engine.api import Call, Outcome, Target
from mayfly.engine.engine import LocalEngine
from mayfly.engine.streamed import Streamed
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxFactory, SandboxSpec

from .conftest import Recorder

SERVER = Path(__file__).parent / "code" / "web_server.py"


@pytest.fixture
def factory(real_factory: SandboxFactory) -> SandboxFactory:
    return real_factory


@pytest.fixture
async def engine(
    factory: SandboxFactory, recorder: Recorder, request: pytest.FixtureRequest
) -> AsyncIterator[LocalEngine]:
    """Its limit for init may be the test's parameter."""
    numbers = itertools.count(1)
    made = LocalEngine(
        factory,
        recorder,
        SystemClock(),
        memory_mb=32_768,
        new_id=lambda: f"i{next(numbers)}",
        init_timeout_s=getattr(request, "param", 20),
    )
    yield made
    await made.close(0)


@pytest.fixture
def port() -> int:
    """One that is free, as at the process level all of the machine's are shared."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number: int = taken.getsockname()[1]
    return number


@pytest.fixture
def web(tmp_path: Path, port: int) -> Target:
    code = tmp_path / "code"
    code.mkdir(mode=0o755)
    script = f"#!{interpreters.current().path} -I\n" + SERVER.read_text()
    (code / "bootstrap").write_text(script)
    (code / "bootstrap").chmod(0o755)
    return target(code, {"AWS_LWA_PORT": str(port)})


def target(code: Path, variables: dict[str, str], *, concurrency: int = 1, timeout_s: float = 20.0) -> Target:
    async def environment(instance: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "AWS_LAMBDA_FUNCTION_NAME": "f", **variables}

    spec = SandboxSpec("", code, memory_mb=256, program=True)
    return Target("web", "web", spec, "handler", timeout_s, environment, contract="program", concurrency=concurrency)


def with_variables(web: Target, port: int, **variables: str) -> Target:
    return target(web.sandbox.code, {"AWS_LWA_PORT": str(port), **variables})


def get(path: str, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None) -> Call:
    event = {
        "version": "2.0",
        "rawPath": path.partition("?")[0],
        "rawQueryString": path.partition("?")[2],
        "headers": {"host": "f.example", **(headers or {})},
        "cookies": ["a=b", "c=d"],
        "requestContext": {"http": {"method": method}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    return Call("r1", json.dumps(event).encode(), "arn:of:f")


def answer(outcome: Outcome) -> Any:
    assert outcome.failure is None, outcome
    return json.loads(outcome.payload)


async def test_a_request_reaches_the_server_and_its_answer_comes_back(engine: LocalEngine, web: Target) -> None:
    reply = answer(await engine.invoke(web, get("/echo/%41?x=1&y=%20", "PUT", b"\x00\xff", {"x-own": "é"})))
    assert (reply["statusCode"], reply["isBase64Encoded"]) == (200, False)
    assert reply["cookies"] == ["one=1", "two=2"]
    seen = json.loads(reply["body"])
    assert (seen["method"], seen["path"], seen["body"]) == ("PUT", "/echo/%41?x=1&y=%20", "00ff")
    assert seen["headers"]["cookie"] == "a=b; c=d"
    assert seen["headers"]["x-own"].encode("latin-1").decode() == "é"
    assert json.loads(seen["headers"]["x-amzn-lambda-context"])["env_config"]["function_name"] == "f"
    assert json.loads(seen["headers"]["x-amzn-request-context"]) == {"http": {"method": "PUT"}}


async def test_an_instance_serves_one_request_after_the_other_on_one_connection(
    engine: LocalEngine, web: Target
) -> None:
    replies = [answer(await engine.invoke(web, get("/echo/"))) for _ in range(5)]
    seen = [json.loads(reply["body"]) for reply in replies]
    assert len({one["pid"] for one in seen}) == 1
    assert len({one["client"] for one in seen}) == 1


async def test_an_event_that_is_no_request_is_posted(engine: LocalEngine, web: Target) -> None:
    seen = answer(await engine.invoke(web, Call("r1", b'{"Records":[]}', "arn")))
    assert (seen["method"], seen["path"], bytes.fromhex(seen["body"])) == ("POST", "/events", b'{"Records":[]}')
    assert seen["headers"]["content-type"] == "application/json"


async def test_binary_answers_are_base64_and_answers_without_a_body_are_empty(engine: LocalEngine, web: Target) -> None:
    reply = answer(await engine.invoke(web, get("/binary")))
    assert base64.b64decode(reply["body"]) == bytes(range(256)) * 2000
    assert answer(await engine.invoke(web, get("/binary", "HEAD")))["body"] == ""
    assert answer(await engine.invoke(web, get("/status/204")))["statusCode"] == 204
    assert answer(await engine.invoke(web, get("/status/503")))["statusCode"] == 503


async def test_parts_are_passed_on_before_the_answer_is_complete(engine: LocalEngine, web: Target) -> None:
    into = Streamed(1 << 30)
    running = asyncio.create_task(engine.invoke(web, get("/stream"), into))
    running.add_done_callback(lambda _: into.end())
    parts = aiter(into)
    prelude = await anext(parts)
    assert json.loads(prelude.removesuffix(bytes(8)))["statusCode"] == 200
    assert await anext(parts) == b"first"
    assert not running.done()
    rest = b"".join([part async for part in parts])
    assert rest == b"second" * 100_000
    outcome = await running
    assert (outcome.failure, outcome.payload) == (None, b"")


async def test_a_server_that_closes_or_talks_nonsense_fails_the_call_and_stays(
    engine: LocalEngine, web: Target
) -> None:
    for path in ("/close", "/garbage", "/short"):
        outcome = await engine.invoke(web, get(path, "POST"))
        assert outcome.failure is not None
        assert outcome.failure.kind == "raised"
        assert json.loads(outcome.failure.payload)["errorType"] == "Runtime.WebServerError"
    assert answer(await engine.invoke(web, get("/echo/")))["statusCode"] == 200
    assert len(engine.snapshot()[0].instances) == 1


async def test_a_call_that_takes_too_long_fails(engine: LocalEngine, web: Target) -> None:
    outcome = await engine.invoke(dataclasses.replace(web, timeout_s=0.3), get("/slow"))
    assert outcome.failure is not None
    assert outcome.failure.kind == "timeout"


async def test_several_requests_at_a_time_in_one_instance(engine: LocalEngine, web: Target, port: int) -> None:
    shared = target(web.sandbox.code, {"AWS_LWA_PORT": str(port)}, concurrency=8)
    answer(await engine.invoke(shared, get("/echo/")))
    outcomes = await asyncio.gather(*(engine.invoke(shared, get("/together/6")) for _ in range(6)))
    assert {json.loads(answer(outcome)["body"])["pid"] for outcome in outcomes} != set()
    assert len(engine.snapshot()[0].instances) == 1


async def test_one_of_several_requests_that_takes_too_long_is_given_up_alone(
    engine: LocalEngine, web: Target, port: int
) -> None:
    shared = target(web.sandbox.code, {"AWS_LWA_PORT": str(port)}, concurrency=8, timeout_s=1.0)
    answer(await engine.invoke(shared, get("/echo/")))
    slow = asyncio.create_task(engine.invoke(shared, get("/slow")))
    while not slow.done():
        assert answer(await engine.invoke(shared, get("/echo/")))["statusCode"] == 200
    failure = (await slow).failure
    assert failure is not None
    assert failure.kind == "timeout"
    assert len(engine.snapshot()[0].instances) == 1


async def test_what_it_prints_for_a_request_is_the_requests(
    engine: LocalEngine, web: Target, recorder: Recorder
) -> None:
    await engine.invoke(web, named("q1", "/print/hello"))
    await engine.invoke(web, named("q2", "/print/world"))
    assert recorder.lines("q1")[-1:] == ["hello"]
    assert recorder.lines("q2") == ["world"]


def named(request_id: str, path: str) -> Call:
    return Call(request_id, get(path).payload, "arn")


async def test_the_answers_that_count_as_failures_are_failures(engine: LocalEngine, web: Target, port: int) -> None:
    failing = with_variables(web, port, AWS_LWA_ERROR_STATUS_CODES="500-599")
    outcome = await engine.invoke(failing, get("/status/503"))
    assert outcome.failure is not None
    assert b"503" in outcome.failure.payload


async def test_readiness_is_asked_for_at_its_own_path(engine: LocalEngine, web: Target, port: int) -> None:
    asked = with_variables(
        web, port, AWS_LWA_READINESS_CHECK_PATH="/third-time", AWS_LWA_READINESS_CHECK_HEALTHY_STATUS="200"
    )
    reply = answer(await engine.invoke(asked, get("/third-time")))
    assert reply["body"] == "4"


async def test_answers_are_compressed_where_that_is_wanted(engine: LocalEngine, web: Target, port: int) -> None:
    packed = with_variables(web, port, AWS_LWA_ENABLE_COMPRESSION="true")
    reply = answer(await engine.invoke(packed, get("/text", headers={"accept-encoding": "gzip, br"})))
    assert (reply["headers"]["content-encoding"], reply["isBase64Encoded"]) == ("gzip", True)
    plain = answer(await engine.invoke(packed, get("/text")))
    assert (plain["body"], plain["headers"].get("content-encoding")) == ("text" * 1000, None)


@pytest.mark.parametrize("engine", [0.5], indirect=True)
async def test_a_server_that_never_answers_fails_init(engine: LocalEngine, web: Target, port: int) -> None:
    never = with_variables(web, port, AWS_LWA_READINESS_CHECK_PATH="/status/500")
    outcome = await engine.invoke(dataclasses.replace(never, timeout_s=0.5), get("/echo/"))
    assert outcome.failure is not None
    assert outcome.failure.kind == "init-timeout"


async def test_a_setting_that_makes_no_sense_is_named(engine: LocalEngine, web: Target) -> None:
    wrong = target(web.sandbox.code, {"AWS_LWA_PORT": "http"})
    outcome = await engine.invoke(wrong, get("/echo/"))
    assert outcome.failure is not None
    assert (outcome.failure.error_type, "AWS_LWA_PORT" in outcome.failure.cause) == ("Runtime.InvalidWebSettings", True)
