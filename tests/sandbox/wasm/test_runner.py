"""The runtime `wasm` at both levels: what a module is given, what of it is an answer, and how it fails."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import SandboxFactory
from mayfly.sandbox.wasm import artifacts
from tests.sandbox.conftest import ALL_LEVELS, factory_of
from tests.sandbox.talk import Talk, Talks

from . import modules

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", params=ALL_LEVELS[2:])
def level(request: pytest.FixtureRequest) -> SandboxFactory:
    """Those of OCI runtimes."""
    return factory_of(request)


@pytest_asyncio.fixture(loop_scope="module")
async def wasm_talks(factory: SandboxFactory) -> AsyncIterator[Talks]:
    await factory.prepare(artifacts.NAME, interpreters.current())
    talks = Talks(factory)
    yield talks
    await talks.close()


async def test_a_module_runs_in_containers(level: SandboxFactory, tmp_path: Path) -> None:
    await level.prepare(artifacts.NAME, interpreters.current())
    talks = Talks(level)
    try:
        talk = await ready(talks, tmp_path, modules.LOGGER)
        assert (await talk.invoke({})).payload == b"{}"
        assert talk.output() == "a message\n"
        talk = await ready(talks, tmp_path / "traps", modules.TRAPS)
        assert failure(await talk.invoke({}))["errorType"] == "Runtime.Trap"
    finally:
        await talks.close()


async def begin(
    talks: Talks, tmp_path: Path, code: bytes | str, concurrency: int = 1, **environment: str
) -> tuple[Talk, frames.Frame]:
    """A sandbox that has been told to initialize, and its answer."""
    package = modules.package(tmp_path / "package", code)
    talk = await talks.start(package, runtime=artifacts.NAME)
    variables = {"_HANDLER": "app.wasm", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", **environment}
    meta: dict[str, Any] = {"handler": modules.PLACE, "environment": variables, "task_root": talk.task_root}
    if concurrency > 1:
        meta["concurrency"] = concurrency
    await talk.send(frames.INIT, meta)
    return talk, await talk.receive()


async def ready(talks: Talks, tmp_path: Path, code: bytes | str, concurrency: int = 1, **environment: str) -> Talk:
    talk, frame = await begin(talks, tmp_path, code, concurrency, **environment)
    assert frame.kind == frames.READY, frame
    return talk


def failure(frame: frames.Frame) -> dict[str, Any]:
    assert frame.kind == frames.ERROR, frame
    assert frame.meta == {"fatal": False}
    error: dict[str, Any] = json.loads(frame.payload)
    return error


async def test_a_program_reads_the_event_and_writes_the_answer(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.ECHO)
    for event in ({"key": "välue"}, [1, 2], "x" * 20_000, None):
        frame = await talk.invoke(event)
        assert (frame.kind, json.loads(frame.payload)) == (frames.RESULT, event)


async def test_every_request_has_an_instance_of_its_own(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.COUNTER)
    assert [(await talk.invoke({})).payload for _ in range(3)] == [b"0", b"0", b"0"]


async def test_standard_error_is_the_log_and_is_there_before_the_answer(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.LOGGER)
    frame = await talk.invoke({})
    assert frame.payload == b"{}"
    assert talk.output() == "a message\n"


async def test_an_instance_sees_the_variables_of_its_function_and_its_call_alone(
    wasm_talks: Talks, tmp_path: Path
) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.SHOWS_VARIABLES, MINE="yes")
    deadline_ms = int(time.time() * 1000) + 30_000
    await talk.invoke({}, deadline_ms=deadline_ms, trace_id="Root=1", arn="arn:f")
    seen = dict(line.split("=", 1) for line in talk.output().split("\0") if line)
    assert seen == {
        "MINE": "yes",
        "_HANDLER": "app.wasm",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "LAMBDA_RUNTIME_AWS_REQUEST_ID": "request-1",
        "LAMBDA_RUNTIME_DEADLINE_MS": str(deadline_ms),
        "LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN": "arn:f",
        "_X_AMZN_TRACE_ID": "Root=1",
    }


async def test_an_instance_has_no_directory(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.HAS_DIRECTORY)
    assert (await talk.invoke({})).payload == b"8"


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (modules.EXITS, "Runtime.ExitError", "the program exited with status 3"),
        (modules.TRAPS, "Runtime.Trap", "unreachable"),
        (modules.RECURSES, "Runtime.Trap", "call stack exhausted"),
        (modules.LOGGER.replace("{}", "{]"), "Runtime.InvalidOutput", "not JSON"),
        (modules.WRITES_TOO_MUCH, "Runtime.InvalidOutput", "more than"),
    ],
    ids=["exits", "traps", "recurses", "writes what is not JSON", "writes too much"],
)
async def test_a_failure_says_what_happened_and_the_next_request_is_answered(
    wasm_talks: Talks, tmp_path: Path, code: str, kind: str, message: str
) -> None:
    talk = await ready(wasm_talks, tmp_path, code)
    for _ in range(2):
        error = failure(await talk.invoke({}))
        assert (error["errorType"], error["requestId"]) == (kind, "request-1")
        assert message in error["errorMessage"]
    assert f"[ERROR] {kind}" in talk.output()


async def test_a_trap_shows_where_it_was(wasm_talks: Talks, tmp_path: Path) -> None:
    named = '(module (func $inner unreachable) (func $outer (export "_start") (call $inner)))'
    talk = await ready(wasm_talks, tmp_path, named)
    stack = failure(await talk.invoke({}))["stackTrace"]
    assert [line.rpartition("!")[2] for line in stack] == ["inner", "outer"]


async def test_memory_ends_at_the_limit_of_the_function(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.GROWS)
    assert (await talk.invoke({})).payload == b"1"  # growing failed, and it went on
    too_much = modules.ECHO.replace('(memory (export "memory") 2)', '(memory (export "memory") 4096)')
    talk = await ready(wasm_talks, tmp_path / "large", too_much)
    assert failure(await talk.invoke({}))["errorType"] == "Runtime.OutOfMemory"


async def test_a_request_of_a_url_is_a_cgi_program_s(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.CGI)
    event = {
        "version": "2.0",
        "rawPath": "/a",
        "headers": {"host": "h"},
        "requestContext": {"http": {"method": "POST", "sourceIp": "127.0.0.1"}},
        "body": "aGk=",
        "isBase64Encoded": True,
    }
    assert json.loads((await talk.invoke(event)).payload) == {
        "statusCode": 201,
        "headers": {"content-type": "text/plain"},
        "cookies": ["a=b"],
        "body": "body: hi",
        "isBase64Encoded": False,
    }


async def test_a_component_that_is_a_program_exits_as_it_says(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.RUN)
    assert (await talk.invoke({})).payload == b"null"
    talk = await ready(wasm_talks, tmp_path / "fails", modules.RUN.replace("i32.const 0", "i32.const 1"))
    assert failure(await talk.invoke({}))["errorMessage"] == "the program exited with status 1"


async def test_a_file_that_cannot_be_run_fails_at_init_with_the_reason(wasm_talks: Talks, tmp_path: Path) -> None:
    _, frame = await begin(wasm_talks, tmp_path, b"not wasm")
    assert frame.kind == frames.INIT_ERROR
    error = json.loads(frame.payload)
    assert error["errorType"] == "Runtime.InvalidModule"
    assert error["errorMessage"].startswith("app.wasm is not a WebAssembly file")


async def test_machine_code_of_another_engine_fails_at_init(wasm_talks: Talks, tmp_path: Path) -> None:
    package = modules.package(tmp_path / "package", modules.ECHO)
    (package / modules.PLACE).with_suffix(artifacts.CODE).write_bytes(b"\x7fELF another")
    talk = await wasm_talks.start(package, runtime=artifacts.NAME)
    await talk.send(
        frames.INIT, {"handler": modules.PLACE, "environment": {"_HANDLER": "app.wasm"}, "task_root": talk.task_root}
    )
    frame = await talk.receive()
    assert frame.kind == frames.INIT_ERROR
    assert "app.wasm cannot be loaded" in json.loads(frame.payload)["errorMessage"]


async def test_several_requests_run_side_by_side_and_one_that_is_cancelled_ends_alone(
    wasm_talks: Talks, tmp_path: Path
) -> None:
    # Spins on events that begin with a "1", echoes all others.
    either = modules.command(
        "(local.set $n (call $get))"
        "(if (i32.eq (i32.load8_u (i32.const 65536)) (i32.const 49)) (then (loop $on (br $on))))"
        "(call $put (i32.const 1) (i32.const 65536) (local.get $n))"
    )
    talk = await ready(wasm_talks, tmp_path, either, concurrency=2)
    await talk.send_invoke(1, number=1)
    await talk.send_invoke(2, number=2)
    first = await talk.receive()
    assert (first.number, first.payload) == (2, b"2")
    await talk.send_cancel(1)
    ended = await talk.receive()
    while ended.kind == frames.OUTPUT:
        ended = await talk.receive()
    assert (ended.number, failure(ended)["errorType"]) == (1, "Runtime.Trap")
    assert "its time is over" in failure(ended)["errorMessage"]
    await talk.send_invoke(3, number=3)
    assert (await talk.receive()).payload == b"3"


async def test_a_request_that_is_cancelled_before_it_has_begun_ends_too(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.SPINS, concurrency=2)
    for number in range(1, 21):
        await talk.send_invoke({}, number=number)
        await talk.send_cancel(number)
        frame = await talk.receive()
        while frame.kind == frames.OUTPUT:
            frame = await talk.receive()
        assert "its time is over" in failure(frame)["errorMessage"]


async def test_a_request_of_several_ends_when_its_time_is_over(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.SPINS, concurrency=2)
    await talk.send_invoke({}, number=1, deadline_ms=int(time.time() * 1000) + 50)
    frame = await talk.receive()
    while frame.kind == frames.OUTPUT:
        frame = await talk.receive()
    assert "its time is over" in failure(frame)["errorMessage"]


async def test_what_several_requests_log_is_told_apart(wasm_talks: Talks, tmp_path: Path) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.LOGGER, concurrency=2)
    for number in (1, 2):
        await talk.send_invoke({}, number=number)
    heard = [await talk.receive() for _ in range(4)]
    logged = {frame.number: frame.payload for frame in heard if frame.kind == frames.OUTPUT}
    assert logged == {1: b"a message\n", 2: b"a message\n"}


async def test_a_request_that_was_sent_ahead_waits_until_what_was_printed_is_read(
    wasm_talks: Talks, tmp_path: Path
) -> None:
    talk = await ready(wasm_talks, tmp_path, modules.LOGGER)
    await talk.send_invoke({}, number=1)
    await talk.send_invoke({}, number=2, flags=frames.AHEAD, deadline_ms=30_000)
    assert (await talk.receive()).number == 1
    assert talk.output() == "a message\n"
    await talk.send(frames.CONTINUE, {})
    assert (await talk.receive()).number == 2
