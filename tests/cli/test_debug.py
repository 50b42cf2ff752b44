"""`mayfly debug` with an editor at the other end: breakpoints that are hit, variables that are read."""

import asyncio
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import ClientConnection, connect

from mayfly.cli.connection import Connection, RefusedError
from mayfly.cli.relay import RelayError, dialled
from mayfly.cli.swapping import Swapper
from tests.cli.dap import Editor
from tests.cli.test_commands import TRUST, mayfly
from tests.conftest import PlatformProcess

PYTHON = """import time
LOADED = time.time()

def handler(event, context):
    answer = event["number"] * 2
    return {"answer": answer, "left": context.get_remaining_time_in_millis()}
"""
NODE = """exports.handler = async (event) => {
  const answer = event.number * 2;
  return { answer };
};
"""
PATIENCE_S = 60.0


@dataclass
class Session:
    """A `mayfly debug` that runs."""

    process: "subprocess.Popen[str]"
    lines: "queue.Queue[str]"
    reader: threading.Thread
    text: str = ""

    def until(self, wanted: str) -> str:
        while wanted not in self.text:
            line = self.lines.get(timeout=PATIENCE_S)
            assert line, f"{wanted!r} was not printed:\n{self.text}"
            self.text += line
        return self.text

    @property
    def port(self) -> int:
        self.until("may attach at 127.0.0.1:")
        return int(self.text.partition("may attach at 127.0.0.1:")[2].partition(";")[0])

    @property
    def launch(self) -> Any:
        self.until("may attach at")
        text = self.text[self.text.index("{") :]
        return json.JSONDecoder().raw_decode(text)[0]["configurations"][0]

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def debug(platform: PlatformProcess) -> Iterator[Callable[..., Session]]:
    begun: list[Session] = []

    def read(stream: IO[str], into: "queue.Queue[str]") -> None:
        for line in stream:
            into.put(line)
        into.put("")

    def debug(*arguments: str) -> Session:
        process = subprocess.Popen(
            [sys.executable, "-m", "mayfly", "debug", *arguments, "--data", str(platform.data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=read, args=(process.stdout, lines))
        reader.start()
        begun.append(Session(process, lines, reader))
        return begun[-1]

    yield debug
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.reader.join()
        assert one.process.stdout is not None
        one.process.stdout.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def make(platform: PlatformProcess, runtime: str, file: str, code: str) -> str:
    iam, functions = platform.client("iam"), platform.client("lambda")
    name = f"debugged-{uuid4().hex[:8]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(file, code)
    functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=f"{Path(file).stem}.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
        Timeout=1,
        MemorySize=512,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return name


@pytest.fixture
def function(platform: PlatformProcess) -> str:
    return make(platform, f"python{sys.version_info[0]}.{sys.version_info[1]}", "app.py", PYTHON)


def call(platform: PlatformProcess, name: str) -> Any:
    reply = platform.client("lambda", read_timeout=120).invoke(FunctionName=name, Payload=b'{"number": 21}')
    return json.load(reply["Payload"])


def attached(port: int, local: str, remote: str, file: str, line: int) -> Editor:
    """An editor with a breakpoint."""
    editor = Editor(port)
    editor.ask("initialize", adapterID="test", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
    attaching = editor.send("attach", pathMappings=[{"localRoot": local, "remoteRoot": remote}], justMyCode=True)
    editor.event("initialized")
    found = editor.ask("setBreakpoints", source={"path": f"{local}/{file}"}, breakpoints=[{"line": line}])
    assert found["breakpoints"][0]["verified"]
    editor.ask("configurationDone")
    editor.answer(attaching)
    return editor


def test_a_breakpoint_is_hit_a_variable_read_and_the_call_goes_on_without_a_time_limit(
    platform: PlatformProcess,
    function: str,
    debug: Callable[..., Session],
    pool: ThreadPoolExecutor,
    tmp_path: Path,
) -> None:
    (tmp_path / "app.py").write_text(PYTHON)
    session = debug(function, "--source", str(tmp_path))
    entry = session.launch
    assert (entry["type"], entry["connect"]["port"]) == ("debugpy", session.port)
    (mapping,) = entry["pathMappings"]
    editor = attached(session.port, mapping["localRoot"], mapping["remoteRoot"], "app.py", 6)
    session.until("is ready for calls")
    running: Future[Any] = pool.submit(call, platform, function)
    stopped = editor.event("stopped")
    assert stopped["reason"] == "breakpoint"
    frame = editor.ask("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]
    assert (frame["source"]["path"], frame["line"]) == (str(tmp_path / "app.py"), 6)
    assert editor.ask("evaluate", expression="answer", frameId=frame["id"], context="watch")["result"] == "42"
    assert not running.done()
    editor.ask("continue", threadId=stopped["threadId"])
    answer = running.result(PATIENCE_S)
    assert answer["answer"] == 42
    assert answer["left"] > 3_600_000  # although the function has one second
    editor.close()
    assert session.end() == 0
    assert 0 < call(platform, function)["left"] <= 1000


def test_another_editor_may_attach_when_the_first_has_left(
    platform: PlatformProcess, function: str, debug: Callable[..., Session], pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(PYTHON)
    session = debug(function, "--source", str(tmp_path))
    remote = session.launch["pathMappings"][0]["remoteRoot"]
    first = attached(session.port, str(tmp_path), remote, "app.py", 6)
    first.ask("disconnect", terminateDebuggee=False)
    first.close()
    assert call(platform, function)["answer"] == 42
    second = attached(session.port, str(tmp_path), remote, "app.py", 5)
    running = pool.submit(call, platform, function)
    stopped = second.event("stopped")
    second.ask("continue", threadId=stopped["threadId"])
    assert running.result(PATIENCE_S)["answer"] == 42
    second.close()


def test_with_wait_what_init_runs_can_be_stopped_in(
    platform: PlatformProcess, function: str, debug: Callable[..., Session], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(PYTHON)
    session = debug(function, "--wait", "--source", str(tmp_path))
    remote = session.launch["pathMappings"][0]["remoteRoot"]
    editor = attached(session.port, str(tmp_path), remote, "app.py", 2)
    stopped = editor.event("stopped")
    frame = editor.ask("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]
    assert (frame["name"], frame["line"]) == ("<module>", 2)
    editor.ask("continue", threadId=stopped["threadId"])
    session.until("is ready for calls")
    editor.close()


def test_the_inspector_of_node_stops_at_a_statement_and_tells_a_variable(
    platform: PlatformProcess, debug: Callable[..., Session], pool: ThreadPoolExecutor
) -> None:
    function = make(platform, "nodejs22.x", "index.js", NODE.replace("  const answer", "  debugger;\n  const answer"))
    session = debug(function)
    assert session.launch["type"] == "node"
    session.until("is ready for calls")
    place = inspected(session)

    async def inspect() -> tuple[int, int]:
        async with connect(place) as inspector:

            async def ask(method: str, **params: Any) -> Any:
                return await asked_of(inspector, method, **params)

            await ask("Runtime.enable")
            await ask("Debugger.enable")
            running = pool.submit(call, platform, function)
            while (told := json.loads(await inspector.recv())).get("method") != "Debugger.paused":
                pass
            frame = told["params"]["callFrames"][0]
            asked = {"callFrameId": frame["callFrameId"], "expression": "event.number"}
            value = (await ask("Debugger.evaluateOnCallFrame", **asked))["result"]["value"]
            await ask("Debugger.resume")
            return value, (await asyncio.wrap_future(running))["answer"]

    assert asyncio.run(asyncio.wait_for(inspect(), PATIENCE_S)) == (21, 42)
    assert session.end() == 0


def test_with_wait_an_init_of_node_goes_on_when_the_inspector_says_so(
    platform: PlatformProcess, debug: Callable[..., Session]
) -> None:
    session = debug(make(platform, "nodejs22.x", "index.js", NODE), "--wait")
    place = inspected(session)

    async def inspect() -> None:
        async with connect(place) as inspector:
            await asked_of(inspector, "Runtime.runIfWaitingForDebugger")
            await asyncio.to_thread(session.until, "is ready for calls")

    asyncio.run(asyncio.wait_for(inspect(), PATIENCE_S))
    assert session.end() == 0


def inspected(session: Session) -> str:
    """Where the inspector's socket is, by way of the session's port."""
    with urllib.request.urlopen(f"http://127.0.0.1:{session.port}/json/list", timeout=60) as reply:
        place: str = json.load(reply)[0]["webSocketDebuggerUrl"].partition("://")[2].partition("/")[2]
    return f"ws://127.0.0.1:{session.port}/{place}"


async def asked_of(inspector: ClientConnection, method: str, **params: Any) -> Any:
    """The result of a request; events that come before it are let go."""
    mine = abs(hash((method, str(params)))) % 1_000_000_000
    await inspector.send(json.dumps({"id": mine, "method": method, "params": params}))
    while (told := json.loads(await inspector.recv())).get("id") != mine:
        pass
    return told["result"]


def test_one_session_a_function_and_none_for_what_has_no_debugger(
    platform: PlatformProcess, function: str, debug: Callable[..., Session]
) -> None:
    session = debug(function)
    session.until("may attach at")
    again = mayfly("debug", function, data=platform.data)
    assert again.returncode == 1
    assert "is being debugged by somebody already" in again.stderr
    assert session.end() == 0
    nobody = mayfly("debug", "nobody", data=platform.data)
    assert "Function not found" in nobody.stderr


def test_what_is_debugged_is_not_swapped_until_that_ends(
    platform: PlatformProcess, function: str, debug: Callable[..., Session], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(PYTHON)
    root = Connection(
        platform.url, platform.region, platform.account, platform.access_key_id, platform.secret_access_key
    )
    swapper = Swapper.begin(root, function, tmp_path)
    session = debug(function)
    session.until("is ready for calls")
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return {'answer': 'swapped'}\n")
    with pytest.raises(RefusedError, match="is being debugged"):
        swapper.swap([tmp_path / "app.py"])
    assert call(platform, function)["answer"] == 42
    assert session.end() == 0
    swapper.swap([tmp_path / "app.py"])
    assert call(platform, function) == {"answer": "swapped"}


def test_an_init_that_fails_is_told(platform: PlatformProcess, debug: Callable[..., Session]) -> None:
    runtime = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    session = debug(make(platform, runtime, "app.py", "raise ValueError('no luck')\n"))
    session.until("cannot start")
    assert session.end() == 0


def test_a_session_ends_with_whoever_opened_it(
    platform: PlatformProcess, function: str, debug: Callable[..., Session]
) -> None:
    session = debug(function)
    session.until("is ready for calls")
    session.process.kill()
    session.process.wait()
    follower = debug(function)  # refused as long as the first is there
    while "already" in (said := follower.until("\n")):
        follower.process.wait(PATIENCE_S)
        follower = debug(function)
    assert "launch.json" in said or "may attach" in follower.until("may attach")


def test_without_a_session_nothing_in_an_instance_can_be_reached(platform: PlatformProcess, function: str) -> None:
    call(platform, function)
    root = Connection(
        platform.url, platform.region, platform.account, platform.access_key_id, platform.secret_access_key
    )
    with pytest.raises(RelayError, match="is not being debugged"):
        dialled(root, f"/_mayfly/debug/{function}/5678")
    wrong = Connection(platform.url, platform.region, platform.account, platform.access_key_id, "not-the-secret")
    with pytest.raises(RelayError, match="Access denied"):
        dialled(wrong, f"/_mayfly/debug/{function}/5678")
