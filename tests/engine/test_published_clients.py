"""Functions behind the runtime interface clients that AWS publishes, unchanged."""

import asyncio
import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mayfly.engine.api import Target
from mayfly.engine.engine import LocalEngine
from mayfly.engine.streamed import Streamed
from mayfly.sandbox import interpreters

from .conftest import Recorder, result
from .programs import program
from .test_programs import call, code, engine, factory, failed

__all__ = ["code", "engine", "factory"]
PACKAGES = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
HANDLERS = """
import os, sys
print("loading")
def echo(event, context):
    print("echoing")
    return {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis() > 0}
def raises(event, context):
    raise ValueError("no such luck")
def leaves(event, context):
    sys.exit(7)
"""


@pytest.fixture
def python(code: Path) -> Target:
    """A function in Python that brings its own runtime interface client."""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, code / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(origin, code / origin.name)
    (code / "app.py").write_text(HANDLERS)
    return program(code)


def with_handler(target: Target, handler: str) -> Target:
    command = (str(interpreters.current().path), "-m", "awslambdaric", f"app.{handler}")
    return replace(target, key=handler, command=command)


async def test_a_handler_behind_awslambdaric(engine: LocalEngine, python: Target, recorder: Recorder) -> None:
    target = with_handler(python, "echo")
    first = result(await engine.invoke(target, call({"a": "ü"}, "r1")))
    second = result(await engine.invoke(target, call(2, "r2")))

    assert first == {"event": {"a": "ü"}, "id": "r1", "arn": call().arn, "left": True}
    assert second["event"] == 2
    assert [line for line in recorder.lines("r1") if line] == ["loading", "echoing"]


async def test_errors_behind_awslambdaric(engine: LocalEngine, python: Target) -> None:
    outcome = await engine.invoke(with_handler(python, "raises"), call())

    assert outcome.failure is not None
    error = json.loads(outcome.failure.payload)
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such luck")
    assert error["stackTrace"]


async def test_a_handler_behind_awslambdaric_that_ends_its_process(engine: LocalEngine, python: Target) -> None:
    assert failed(await engine.invoke(with_handler(python, "leaves"), call())) == ("exited", 7, None)


async def test_a_handler_that_awslambdaric_does_not_find_fails_init(engine: LocalEngine, python: Target) -> None:
    outcome = await engine.invoke(with_handler(python, "nowhere"), call())

    assert outcome.failure is not None
    assert outcome.failure.kind in ("init-raised", "raised")
    assert json.loads(outcome.failure.payload)["errorType"] == "Runtime.HandlerNotFound"


async def test_a_program_that_streams_is_read_as_it_speaks(engine: LocalEngine, code: Path) -> None:
    script = """import http.client, os, sys
host = os.environ["AWS_LAMBDA_RUNTIME_API"]
api = http.client.HTTPConnection(host)
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    call = api.getresponse(); call.read()
    path = "/2018-06-01/runtime/invocation/" + call.headers["Lambda-Runtime-Aws-Request-Id"] + "/response"
    parts = [b"%d " % n * 20000 for n in range(50)]
    api.request("POST", path, iter(parts), {"Lambda-Runtime-Function-Response-Mode": "streaming",
                "Content-Type": "text/plain"}, encode_chunked=True)
    api.getresponse().read()
"""
    (code / "app.py").write_text(script)
    target = replace(program(code), command=(str(interpreters.current().path), "app.py"))
    expected = b"".join(b"%d " % n * 20000 for n in range(50))
    into = Streamed(200 << 20)

    asked = asyncio.create_task(engine.invoke(target, call(), into))
    asked.add_done_callback(lambda _: into.end())
    read = b"".join([part async for part in into])
    outcome = await asked
    whole = await engine.invoke(target, call())

    assert outcome.failure is None
    assert (outcome.content_type, read == expected) == ("text/plain", True)
    assert whole.payload == expected
