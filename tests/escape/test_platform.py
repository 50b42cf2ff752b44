"""Attacks on what the platform shows to functions: control socket, endpoint, Runtime API, templates."""

import contextlib
import io
import json
import socket
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import SandboxSpec, TemplateRefusedError
from tests.conftest import PlatformProcess
from tests.sandbox.talk import RUNTIME
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, invoke, role

from .cell import Cell
from .conftest import LEVELS

__all__ = ["deploy", "functions", "role"]

pytestmark = pytest.mark.root

ATTACKER = """
import os, socket
held = []

def handler(event, context):
    if "forge" in event:
        os.write(3, bytes.fromhex(event["forge"]))
    if "hold" in event:
        try:
            while len(held) < event["hold"]:
                held.append(socket.create_connection(("127.0.0.1", 4566), 2))
                held[-1].sendall(b"POST / HTTP/1.1\\r\\nhost: x\\r\\ncontent-le")
        except OSError:
            pass
        return len(held)
    return "true answer"
"""
VICTIM = """
import urllib.request, urllib.error

def handler(event, context):
    if "endpoint" not in event:
        return event
    try:
        return urllib.request.urlopen("http://127.0.0.1:4566/", timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code
"""
# Speaks to the Runtime API by itself; see the commands in `handle`.
PROGRAM = (
    "#!"
    + str(interpreters.current().path)
    + """ -IS
import http.client, json, os, socket
place = os.environ["AWS_LAMBDA_RUNTIME_API"]
runtime = "/2018-06-01/runtime/"
held = []

def ask(method, path, body=None):
    api = http.client.HTTPConnection(place, timeout=60)
    api.request(method, runtime + path, body)
    reply = api.getresponse()
    return reply.status, reply.getheader("Lambda-Runtime-Aws-Request-Id"), reply.read().decode()

def handle(event, own):
    if event.get("hold"):
        host, port = place.split(":")
        try:
            while len(held) < event["hold"]:
                held.append(socket.create_connection((host, int(port)), 2))
                held[-1].sendall(b"POST /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nhost: x\\r\\ncontent-le")
        except OSError:
            pass
        return len(held)
    status, _, said = ask("POST", "invocation/" + event["theirs"] + "/" + event["how"], '"forged"')
    return [status, json.loads(said)["errorType"]]

while True:
    _, own, event = ask("GET", "invocation/next")
    ask("POST", "invocation/" + own + "/response", json.dumps(handle(json.loads(event), own)))
"""
)


def program() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(info, PROGRAM)
    return buffer.getvalue()


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What asks for a level."""
    return {"Tags": {"mayfly:level": request.param}, "Timeout": 60}


def forged(kind: int, payload: bytes = b'"forged"', meta: dict[str, Any] | None = None) -> bytes:
    """The same frame for every call that may be on its way."""
    return b"".join(frames.encode(kind, meta, payload, number) for number in range(64) if number != 1)


FRAMES = {
    "answers to others' calls": forged(frames.RESULT),
    "errors of others' calls": forged(frames.ERROR, b'{"errorMessage": "forged"}', {"fatal": True}),
    "output of others' calls": forged(frames.OUTPUT, b"forged\n"),
    "parts of others' answers": forged(frames.STREAM) + forged(frames.CHUNK),
    "being ready again": frames.encode(frames.READY, {"concurrency": 1000, "shares": True}),
    "a launcher's frames": forged(frames.LAUNCHED, b"", {"pid": 1}) + forged(frames.ENDED, b"", {"code": 0}),
    "being done with others' calls": forged(frames.DONE, b""),
    "a frame of unknown kind": forged(999),
    "a head that is no JSON": frames.HEADER.pack(frames.ERROR, 0, 1, 4, 0) + b"\xff\xff\xff\xff",
    "a payload beyond all limits": frames.HEADER.pack(frames.RESULT, 0, 1, 0, 0xFFFFFFFF),
    "garbage": b"\xff" * 4096,
}


@pytest.mark.parametrize("data", FRAMES.values(), ids=FRAMES.keys())
def test_forged_frames_reach_no_other_function(functions: Any, deploy: Deploy, data: bytes) -> None:
    attacker = deploy(Code={"ZipFile": zipped({"app.py": ATTACKER})})
    victim = deploy(Code={"ZipFile": zipped({"app.py": VICTIM})})
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(invoke, functions, victim, {"number": number}) for number in range(8)]
        attack = invoke(functions, attacker, {"forge": data.hex()})
        answers = [call.result() for call in calls]
    assert [(answer.get("FunctionError"), answer["Payload"]) for answer in answers] == [
        (None, {"number": number}) for number in range(8)
    ]
    # Its own answer, or its own instance's end; and the next call finds a sound one.
    assert "FunctionError" in attack or attack["Payload"] == "true answer"
    assert invoke(functions, attacker, {})["Payload"] == "true answer"


def test_forged_frames_end_the_instance_at_every_level(functions: Any, deploy: Deploy, level: dict[str, Any]) -> None:
    attacker = deploy(**level, Code={"ZipFile": zipped({"app.py": ATTACKER})})
    attack = invoke(functions, attacker, {"forge": FRAMES["garbage"].hex()})
    assert attack["FunctionError"] == "Unhandled"
    assert invoke(functions, attacker, {})["Payload"] == "true answer"


def test_requests_that_never_end_hold_nobody_elses_endpoint(
    functions: Any, deploy: Deploy, level: dict[str, Any]
) -> None:
    attacker = deploy(**level, Code={"ZipFile": zipped({"app.py": ATTACKER})})
    victim = deploy(**level, Code={"ZipFile": zipped({"app.py": VICTIM})})
    assert invoke(functions, attacker, {"hold": 500})["Payload"] > 100
    assert invoke(functions, victim, {"endpoint": True})["Payload"] in {200, 400, 403, 404}
    assert invoke(functions, attacker, {})["Payload"] == "true answer"


def test_requests_that_never_end_do_not_hold_the_platforms_own_port(
    platform: PlatformProcess, functions: Any, deploy: Deploy
) -> None:
    name = deploy()
    place = urlsplit(platform.url)
    with ExitStack() as stack:
        for _ in range(400):
            slow = stack.enter_context(socket.create_connection((place.hostname or "", place.port or 0), 10))
            slow.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-le")
        assert invoke(functions, name, {"a": 1})["Payload"] == {"a": 1}


@pytest.mark.parametrize("how", ["response", "error"])
def test_anothers_invocation_is_not_answered(functions: Any, deploy: Deploy, level: dict[str, Any], how: str) -> None:
    """The ids are another function's, of a call that runs, and one's own from an earlier call."""
    attacker = deploy(**level, Runtime="provided.al2023", Code={"ZipFile": program()})
    victim = deploy(Code={"ZipFile": zipped({"app.py": "def handler(e, c): return c.aws_request_id"})})
    theirs = invoke(functions, victim, {})["Payload"]
    assert invoke(functions, attacker, {"theirs": theirs, "how": how})["Payload"] == [400, "InvalidRequestID"]
    own = invoke(functions, attacker, {"theirs": "x", "how": how})["ResponseMetadata"]["RequestId"]
    assert invoke(functions, attacker, {"theirs": own, "how": how})["Payload"] == [400, "InvalidRequestID"]


def test_connections_to_the_runtime_api_are_bounded_and_ones_own(
    functions: Any, deploy: Deploy, level: dict[str, Any]
) -> None:
    attacker = deploy(**level, Runtime="provided.al2023", Code={"ZipFile": program()})
    held = invoke(functions, attacker, {"hold": 500})
    victim = deploy(**level, Runtime="provided.al2023", Code={"ZipFile": program()})
    assert invoke(functions, victim, {"theirs": "x", "how": "error"})["Payload"] == [400, "InvalidRequestID"]
    assert "FunctionError" in held or held["Payload"] > 0


LIES = {
    "garbage": "import os; os.write(3, b'\\xff' * 4096)",
    "being ready before it is": (
        'import os, struct; head = b\'{"modules": 999999, "took_ms": 0.0, "printed": ""}\'\n'
        "os.write(3, struct.pack('!HHIII', 20, 0, 0, len(head), 0) + head); os._exit(0)"
    ),
    "ending": "import os; os._exit(0)",
}


@pytest.mark.parametrize("source", LIES.values(), ids=LIES.keys())
@pytest.mark.asyncio(loop_scope="session")
async def test_a_template_that_lies_deceives_nobody_but_its_own_function(
    in_namespaces: Cell, tmp_path: Path, source: str
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "lies.py").write_text(source)
    (code / "attempts.py").write_text("def run(event, context): return event")
    for directory in (code, *code.parents[:3]):
        directory.chmod(0o755)
    factory = in_namespaces.factory
    spec = SandboxSpec(RUNTIME, code)
    # Should it be believed, then as far as it goes: nothing is started from it that others see.
    with contextlib.suppress(TemplateRefusedError):
        await factory.prepare_packages(str(code), spec, ["lies"], {})
    factory.drop_template(str(code))
    await in_namespaces.assert_sibling_is_well()
    talk = await in_namespaces.fresh(code)
    assert json.loads((await talk.invoke({"a": 1})).payload) == {"a": 1}
    await in_namespaces.end(talk)
