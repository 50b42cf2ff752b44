"""Extensions beside a runtime, at the levels that Mayfly ships: who starts when, who is waited for, who hears what."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mayfly.engine.api import Target
from mayfly.engine.engine import LocalEngine
from mayfly.sandbox.api import SandboxFactory

from .conftest import Recorder, result
from .programs import ASK, ECHO, bring, program, write
from .test_programs import call, code, engine, factory, failed

__all__ = ["code", "engine", "factory"]
FAILS_INIT = """register
ask POST $extension/init/error "" "$identity"$'\\r\\n'"Lambda-Extension-Function-Error-Type: x"
exit 1"""
EXTENSION = (
    ASK
    + r"""
extension=/2020-01-01/extension
me=$(basename "$0")
register() { ask POST $extension/register "{\"events\": [$1]}" "Lambda-Extension-Name: $me"
  identity="Lambda-Extension-Identifier: $(header lambda-extension-identifier)"; }
event() { ask GET $extension/event/next "" "$identity"; }
"""
)


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer with room for extensions."""
    for directory in (tmp_path / "layer", tmp_path / "layer" / "extensions"):
        directory.mkdir()
        directory.chmod(0o755)
    return tmp_path / "layer"


def extended(code: Path, layer: Path, **more: int) -> Target:
    target = program(code, **more)
    return replace(target, sandbox=replace(target.sandbox, layers=(layer,)))


def extension(layer: Path, script: str, name: str = "helper") -> None:
    write(layer / "extensions", EXTENSION + script, name)


async def rested(engine: LocalEngine) -> None:
    """Until nothing works for a call any more."""
    async with asyncio.timeout(20):
        while any(instance.state == "busy" for pool in engine.snapshot() for instance in pool.instances):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_extension_starts_first_hears_of_calls_and_of_the_end(
    engine: LocalEngine, code: Path, layer: Path, recorder: Recorder
) -> None:
    write(code, ECHO)
    extension(
        layer,
        """echo "starting without ${_HANDLER-handler}"
register '"INVOKE", "SHUTDOWN"'
while event; do
  echo "heard $body"
  [[ $body = *SHUTDOWN* ]] && exit 0
done
""",
    )
    target = extended(code, layer)

    assert result(await engine.invoke(target, call(1, "r1"))) == {"you said": 1}
    await rested(engine)
    assert result(await engine.invoke(target, call(2, "r2"))) == {"you said": 2}
    await rested(engine)
    engine.retire(target.key)
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))

    lines = [text for _, _, text in recorder.of("output")]
    assert lines.index("starting without handler") < lines.index("booting")
    assert "EXTENSION\tName: helper\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in lines
    heard = [line for line in lines if line.startswith("heard")]
    assert [('"requestId":"r1"' in heard[0]), ('"requestId":"r2"' in heard[1])] == [True, True]
    assert '"shutdownReason":"SPINDOWN"' in heard[2]


async def test_a_call_is_answered_before_extensions_are_done_with_it_and_the_next_waits_for_them(
    engine: LocalEngine, code: Path, layer: Path, tmp_path: Path, recorder: Recorder
) -> None:
    write(code, ECHO)
    extension(layer, "register '\"INVOKE\"'\nwhile event; do sleep 0.4; echo worked; done\n")
    target = extended(code, layer)

    first = await engine.invoke(target, call(1, "r1"))
    assert "worked" not in [text for _, _, text in recorder.of("output")]
    (view,) = engine.snapshot()
    assert view.instances[0].state == "busy"
    await recorder.wait_for(lambda: ("i1", None, "worked") in recorder.of("output"))
    await rested(engine)
    second = await engine.invoke(target, call(2, "r2"))

    assert first.instance == second.instance


async def test_an_extension_that_never_registers_keeps_the_runtime_from_starting(
    engine: LocalEngine, code: Path, layer: Path, recorder: Recorder
) -> None:
    write(code, ECHO)
    extension(layer, "exec sleep 1000\n")

    assert failed(await engine.invoke(extended(code, layer, timeout_s=1), call()))[0] == "init-timeout"
    assert "EXTENSION\tName: helper\tState: Started\tEvents: []" in [text for _, _, text in recorder.of("output")]
    assert "booting" not in [text for _, _, text in recorder.of("output")]


@pytest.mark.parametrize(
    ("script", "error_type", "cause"),
    [
        ("exit 0", "Extension.Crash", "exit code 0"),
        ("register; exit 3", "Extension.Crash", "exit status 3"),
        (
            FAILS_INIT,
            "Extension.InitError",
            "exit status 1",
        ),
    ],
)
async def test_an_extension_that_ends_fails_init(
    engine: LocalEngine, code: Path, layer: Path, script: str, error_type: str, cause: str
) -> None:
    write(code, "#!/bin/bash\nexec sleep 1000\n")
    extension(layer, script + "\n")

    outcome = await engine.invoke(extended(code, layer), call())

    assert outcome.failure is not None
    assert (outcome.failure.error_type, outcome.failure.cause) == (error_type, cause)


async def test_an_extension_that_cannot_be_executed_fails_init(engine: LocalEngine, code: Path, layer: Path) -> None:
    write(code, ECHO)
    write(layer / "extensions", "not a program", "broken")

    outcome = await engine.invoke(extended(code, layer), call())

    assert outcome.failure is not None
    assert outcome.failure.error_type == "Extension.LaunchError"


async def test_an_extension_that_dies_during_a_call_fails_it_and_the_instance_is_replaced(
    engine: LocalEngine, code: Path, layer: Path
) -> None:
    write(code, ASK + "while next; do sleep 0.5; ask POST $runtime/invocation/$id/response $body; done\n")
    extension(layer, "register '\"INVOKE\"'\nevent; [[ $body = *r-bad* ]] && exit 9; while event; do :; done\n")
    target = extended(code, layer)

    outcome = await engine.invoke(target, call(1, "r-bad"))

    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.error_type, outcome.failure.cause) == (
        "exited",
        "Extension.Crash",
        "exit status 9",
    )
    assert result(await engine.invoke(target, call(2, "r-good"))) == 2


@pytest.mark.parametrize(
    ("runtime", "reason"),
    [("next; sleep 1000", "TIMEOUT"), ("next; exit 1", "FAILURE")],
)
async def test_extensions_hear_why_an_instance_ends(
    engine: LocalEngine, code: Path, layer: Path, recorder: Recorder, runtime: str, reason: str
) -> None:
    write(code, ASK + runtime + "\n")
    extension(layer, 'register \'"SHUTDOWN"\'\nevent; echo "heard $body"; exit 0\n')

    outcome = await engine.invoke(extended(code, layer, timeout_s=1), call())
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))

    assert outcome.failure is not None
    assert f'"shutdownReason":"{reason}"' in "".join(text for _, _, text in recorder.of("output"))


async def test_a_runtime_with_extensions_is_asked_to_end_before_they_are(
    engine: LocalEngine, code: Path, layer: Path, recorder: Recorder
) -> None:
    write(code, "#!/bin/bash\ntrap 'echo asked to end; exit 0' TERM\n" + ECHO.partition("\n")[2])
    extension(layer, "register '\"SHUTDOWN\"'\nevent; echo told; exit 0\n")
    target = extended(code, layer)
    await engine.invoke(target, call())

    engine.retire(target.key)
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))

    lines = [text for _, _, text in recorder.of("output")]
    assert "told" in lines


async def test_extensions_of_a_frozen_instance_hear_of_its_end(
    engine: LocalEngine, factory: SandboxFactory, code: Path, layer: Path, recorder: Recorder
) -> None:
    if factory.level == "process":
        pytest.skip("there, nothing is frozen")
    write(code, ECHO)
    extension(layer, "register '\"SHUTDOWN\"'\nevent; echo told; exit 0\n")
    target = extended(code, layer)
    await engine.invoke(target, call())
    async with asyncio.timeout(60):
        while engine.snapshot()[0].instances[0].state != "frozen":  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    engine.retire(target.key)
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))

    assert "told" in [text for _, _, text in recorder.of("output")]


async def test_an_extension_that_does_not_end_is_ended(
    engine: LocalEngine, code: Path, layer: Path, recorder: Recorder
) -> None:
    write(code, ECHO)
    extension(layer, "register '\"SHUTDOWN\"'\nevent; echo told; exec sleep 1000\n")
    target = extended(code, layer)
    await engine.invoke(target, call())

    engine.retire(target.key)
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))

    assert "told" in [text for _, _, text in recorder.of("output")]


TELEMETRY = r"""#!/usr/bin/env python3
import http.client, http.server, json, os, threading
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for event in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            print("told", event["type"], json.dumps(event["record"]), flush=True)
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Sink)
threading.Thread(target=server.serve_forever, daemon=True).start()
def ask(method, path, body=None, **headers):
    link = http.client.HTTPConnection(api)
    link.request(method, path, body and json.dumps(body), {k.replace("_", "-"): v for k, v in headers.items()})
    reply = link.getresponse()
    return reply, json.loads(reply.read())
reply, _ = ask("POST", "/2020-01-01/extension/register", {"events": ["INVOKE", "SHUTDOWN"]},
               Lambda_Extension_Name=os.path.basename(__file__))
me = {"Lambda_Extension_Identifier": reply.headers["Lambda-Extension-Identifier"]}
ask("PUT", "/2022-07-01/telemetry", {"schemaVersion": "2025-01-29", "types": ["platform", "function"],
    "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d" % server.server_port}}, **me)
while True:
    _, event = ask("GET", "/2020-01-01/extension/event/next", **me)
    if event["eventType"] == "SHUTDOWN":
        break
import time; time.sleep(0.3)
"""


async def test_telemetry_tells_of_init_of_calls_and_of_what_they_print(
    engine: LocalEngine, code: Path, layer: Path, recorder: Recorder
) -> None:
    write(code, ECHO)
    write(layer / "extensions", TELEMETRY, "watcher")
    target = extended(code, layer)
    await engine.invoke(target, call(1, "r1"))
    await rested(engine)
    engine.retire(target.key)
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))

    lines = [text for _, _, text in recorder.of("output")]
    told = [line.split(" ", 2)[1:] for line in lines if line.startswith("told")]
    platform = [kind.partition(".")[2] for kind, _ in told if kind.startswith("platform.")]
    assert platform == [
        *("initStart", "telemetrySubscription", "initRuntimeDone", "extension", "initReport"),
        *("start", "runtimeDone", "report"),
    ]
    assert [record for kind, record in told if kind == "function"] == ['"booting"', '"got 1"']
    assert "TELEMETRY\tName: watcher\tState: Subscribed\tTypes: [Platform, Function]" in lines


async def test_extensions_of_an_image_are_found_in_it(
    engine: LocalEngine, factory: SandboxFactory, tmp_path: Path, recorder: Recorder
) -> None:
    if factory.level == "process":
        pytest.skip("there, no image is shown")
    root = tmp_path / "root"
    for name in ("dev", "proc", "tmp", "var/task", "opt/extensions"):
        (root / name).mkdir(parents=True)
    for directory in (root, *root.rglob("*")):
        directory.chmod(0o755)
    for tool in ("bash", "cat", "grep", "tr", "cut", "basename"):
        found = shutil.which(tool)
        assert found is not None
        bring(found, root)
    shebang = shutil.which("bash")
    write(root / "var" / "task", ECHO.replace("/bin/bash", str(shebang)))
    script = EXTENSION.replace("/bin/bash", str(shebang)) + "register '\"INVOKE\"'\nwhile event; do echo heard; done\n"
    write(root / "opt" / "extensions", script, "inside")
    target = program(root)
    target = replace(target, sandbox=replace(target.sandbox, root=root), command=("/var/task/bootstrap",))

    assert result(await engine.invoke(target, call(1))) == {"you said": 1}
    await rested(engine)

    lines = [text for _, _, text in recorder.of("output")]
    assert "EXTENSION\tName: inside\tState: Ready\tEvents: [INVOKE]" in lines
    assert "heard" in lines
