"""Starts of Node.js: from a process that had waited, and from one that is started for the function, beside a bare
`node -e 0` of the same installation. Rounds of all alternate; a start ends with the answer to its first call."""

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.platform import Running, make_function, running, zipped
from benchmarks.report import Report, Row, console
from mayfly.sandbox import choice, frames, nodes
from mayfly.sandbox.api import Interpreter, Sandbox, SandboxSpec
from mayfly.sandbox.namespace import AgentFactory
from mayfly.services.functions.code import compile_cache

ROUNDS = 40
_RUNTIMES = Path(".cache/platform/runtimes")
_LARGE_ROUNDS = 15
REST_S = 0.4  # for the next process to be made, and to wait
_HELLO = "exports.handler = async (event) => { if (event.end) setTimeout(() => process.exit(0), 5); return 'hello' }"
# The largest client of the AWS SDK that functions find.
_LARGE = "/* %s */ const { S3Client } = require('@aws-sdk/client-s3'); const client = new S3Client({}); " + _HELLO
_END = b'{"end": true}'
_MEMORY_MB = 256


def node(platform: Running, report: Report) -> None:
    """The newest installation. `platform` is not used."""
    del platform
    found = nodes.find(os.environ.get("PATH", ""), Path.home(), _RUNTIMES)
    if os.geteuid() != 0 or not found:
        console.print("  needs root and a Node.js")
        return
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-node-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        (home / "code").mkdir(mode=0o755)
        (home / "code" / "index.js").write_text(_HELLO)
        asyncio.run(_below_the_server(found[0], home, report))
    with running("namespace", runtimes=_RUNTIMES) as served:
        _through_http(found[0], served, report)
        if found[0].modules is not None:
            _large_through_http(found[0], served, report)


async def _below_the_server(installed: Interpreter, home: Path, report: Report) -> None:
    factory = AgentFactory.launch(home / "agent", pooled=1)
    name = choice.template_name(installed)
    bare: list[float] = []
    times: dict[str, list[float]] = {"pool": [], "process": []}
    try:
        await factory.attach()
        await factory.prepare(name, installed)
        for _ in range(ROUNDS):
            bare.append(_bare_ms(installed))
            for pooled in (True, False):
                spec = SandboxSpec(name, home / "code", memory_mb=_MEMORY_MB, pooled=pooled)
                origin, took = await _start(factory, spec, installed)
                times[origin].append(took)
                await asyncio.sleep(REST_S)
    finally:
        await factory.close()
    floor = statistics.median(bare)
    report.add(
        Row(f"bare node -e 0 ({choice.dotted(installed)}), median", floor, "ms"),
        Row(
            "Node.js that had waited: hello answered, median",
            statistics.median(times["pool"]),
            "ms",
            floor,
            "node -e 0",
        ),
        Row(
            "Node.js started for it: hello answered, median",
            statistics.median(times["process"]),
            "ms",
            floor,
            "node -e 0",
        ),
    )


def _through_http(installed: Interpreter, served: Running, report: Report) -> None:
    runtime = f"nodejs{installed.version[0]}.x"
    package = zipped(_HELLO, "index.js")
    name = make_function(served, "bench-node", "", _MEMORY_MB, package, runtime=runtime, handler="index.handler")
    request = served.invoke_request(name, _END)
    bare, cold = [], []
    for number in range(ROUNDS + 3):
        time.sleep(REST_S)
        floor, took = _bare_ms(installed), _once(served.port, request)
        if number >= 3:  # by then a process waits
            bare.append(floor)
            cold.append(took)
    report.add(
        Row(
            "cold start: Invoke of hello, Node.js, median",
            statistics.median(cold),
            "ms",
            statistics.median(bare),
            "node -e 0",
        )
    )


def _large_through_http(installed: Interpreter, served: Running, report: Report) -> None:
    """A function with much to load, with and without what the engine has compiled of it before."""
    requests, times = {}, dict[str, list[float]]()
    for kept in ("without", "with"):
        package = zipped(_LARGE % kept, "index.js")
        runtime = f"nodejs{installed.version[0]}.x"
        name = make_function(served, f"large-{kept}", "", _MEMORY_MB, package, runtime=runtime, handler="index.handler")
        requests[kept], times[kept] = served.invoke_request(name, _END), []
        if kept == "without":
            for cache in served.data.glob(f"code/*/{compile_cache.DIRECTORY}"):
                shutil.rmtree(cache)
    bare = []
    for number in range(_LARGE_ROUNDS + 2):
        for kept, request in requests.items():
            time.sleep(REST_S)
            floor, took = _bare_ms(installed), _once(served.port, request)
            if number >= 2:
                bare.append(floor)
                times[kept].append(took)
    for kept, measured in times.items():
        what = f"cold start: Invoke, client of S3, {kept} compiled modules, median"
        report.add(Row(what, statistics.median(measured), "ms", statistics.median(bare), "node -e 0"))


def _bare_ms(installed: Interpreter) -> float:
    began = time.perf_counter()
    subprocess.run([str(installed.path), "-e", "0"], check=True)
    return (time.perf_counter() - began) * 1000


async def _start(factory: AgentFactory, spec: SandboxSpec, installed: Interpreter) -> tuple[str, float]:
    """What it was started from, and milliseconds until its first call is answered."""
    loop, decoder = asyncio.get_running_loop(), frames.Decoder()
    variables = {"TZ": ":UTC", "LANG": "en_US.UTF-8", "AWS_EXECUTION_ENV": f"AWS_Lambda_nodejs{installed.version[0]}.x"}
    init = {"handler": "index.handler", "environment": variables, "task_root": "/var/task"}
    began = time.perf_counter()
    sandbox = await factory.start(spec)
    head = frames.call_head("request", int(time.time() * 1000) + 10_000, "arn")
    await loop.sock_sendall(sandbox.control, frames.encode(frames.INIT, init))
    await _next(sandbox, decoder, frames.READY)
    await loop.sock_sendall(sandbox.control, frames.encode_call(1, head, b"{}"))
    await _next(sandbox, decoder, frames.RESULT)
    took = (time.perf_counter() - began) * 1000
    await sandbox.discard()
    sandbox.control.close()
    os.close(sandbox.output)
    if isinstance(sandbox.endpoint, socket.socket):
        sandbox.endpoint.close()
    return sandbox.origin, took


async def _next(sandbox: Sandbox, decoder: frames.Decoder, kind: int) -> Any:
    while True:
        for frame in decoder.feed(await asyncio.get_running_loop().sock_recv(sandbox.control, 1 << 16)):
            if frame.kind != kind:
                raise RuntimeError(f"unexpected: {frame}")
            return frame


def _once(port: int, request: bytes) -> float:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(request)
        reply = connection.recv(65536)
        elapsed = (time.perf_counter() - began) * 1000
    if not reply.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a cold call failed: {reply.decode(errors='replace')}")
    return elapsed
