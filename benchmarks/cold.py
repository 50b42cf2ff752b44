"""Cold starts: a call that finds no instance, through HTTP, and the same below the server, with and without a spare."""

import asyncio
import contextlib
import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import floors
from benchmarks.platform import Running, descendants, make_function, pss_mb, unzipped, zipped_with
from benchmarks.report import Report, Row
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import Sandbox, SandboxSpec
from mayfly.sandbox.namespace import AgentFactory

ROUNDS = 40
PAUSE_S = 0.1  # between two starts, and between two forks of the floor beside them
BURST = 200
PANDAS = ("numpy", "pandas")
# A call that says so ends its instance right after the reply, so that the next call finds none.
_ENDS = """
import os, threading
def handler(event, context):
    if event.get("end"):
        threading.Timer(0.005, os._exit, (0,)).start()
    return {"statusCode": 200, "body": BODY}
"""
HELLO = "BODY = 'hello'\n" + _ENDS
FRAME = "import time, numpy, pandas\nBODY = pandas.__version__ + numpy.__version__\n" + _ENDS.replace(
    "    return", '    time.sleep(event.get("hold", 0))\n    return'
)
_END = b'{"end": true}'


def cold(platform: Running, report: Report) -> None:
    """Hello, then a function that imports NumPy and pandas."""
    root = os.geteuid() == 0
    package = zipped_with(FRAME, *PANDAS)
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-code-") as directory:
        code = Path(directory)
        unzipped(package, code)
        floor = floors.fork_with_namespaces_ms(30, PAUSE_S) if root else None
        loaded = floors.fork_with_pandas_ms(code, PAUSE_S) if root else None
        in_a_row = floors.fork_with_pandas_ms(code) if root else None
        imported = floors.import_ms(code)
        _through_http(platform, report, "hello", make_function(platform, "bench-cold", HELLO), (floor, None))
        name = make_function(platform, "bench-pandas", FRAME, memory_mb=512, package=package)
        _through_http(platform, report, "pandas", name, (loaded, imported))
        # As many instances as a machine of 32 GiB has room for: a template's memory is its own group's.
        name = make_function(platform, "bench-burst", FRAME, memory_mb=128, package=package)
        _once(platform.port, platform.invoke_request(name, _END))
        time.sleep(3)
        _burst(platform, report, name, in_a_row)
        if root:
            asyncio.run(_below_the_server(report, code, loaded))


def _through_http(
    platform: Running, report: Report, what: str, name: str, floor: tuple[float | None, float | None]
) -> None:
    forked, imported = floor
    request = platform.invoke_request(name, _END)
    report.add(
        Row(f"cold start: Invoke of {what}, the very first", _once(platform.port, request), "ms", imported, "python -c")
    )
    time.sleep(3)  # the template is made in the background
    samples = []
    for _ in range(ROUNDS):
        samples.append(_once(platform.port, request))
        time.sleep(PAUSE_S)
    samples.sort()
    report.add(
        Row(f"cold start: Invoke of {what}, median", statistics.median(samples), "ms", forked, "clone()"),
        Row(f"cold start: Invoke of {what}, p95", samples[int(len(samples) * 0.95)], "ms"),
        Row(f"cold start: Invoke of {what}, most", samples[-1], "ms"),
    )


def _once(port: int, request: bytes) -> float:
    """Milliseconds for one request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(request)
        reply = connection.recv(65536)
        elapsed = (time.perf_counter() - began) * 1000
    if not reply.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a cold call failed: {reply[:200]!r}")
    return elapsed


def _burst(platform: Running, report: Report, name: str, floor_ms: float | None) -> None:
    """Many calls at once where no instance is; each occupies its instance until all are there."""
    below = descendants(platform.pid)
    before = sum(pss_mb(pid) for pid in below)
    request = platform.invoke_request(name, b'{"hold": 3}')
    with ThreadPoolExecutor(BURST) as pool:
        began = time.perf_counter()
        times = list(pool.map(lambda _: _once(platform.port, request), range(BURST)))
        elapsed = time.perf_counter() - began
    starts = sorted(took - 3000 for took in times)
    rate = 1000 / floor_ms if floor_ms else None
    report.add(
        Row(f"cold start: {BURST} at once, pandas, per second", BURST / (elapsed - 3), "/s", rate, "clone() in a row"),
        Row(f"cold start: {BURST} at once, pandas, median", statistics.median(starts), "ms"),
    )
    alive = [pid for pid in descendants(platform.pid) if pid not in below]
    after = 0.0
    for pid in [*below, *alive]:
        with contextlib.suppress(OSError):
            after += pss_mb(pid)
    report.add(Row("memory: one idle instance, pandas (PSS)", (after - before) / BURST, "MiB"))


async def _below_the_server(report: Report, code: Path, floor: float | None) -> None:
    """From a request for a sandbox until its runtime is ready: the sandbox layer alone."""
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-agent-") as directory:
        factory = AgentFactory.launch(Path(directory))
        try:
            await factory.attach()
            await factory.prepare("python", interpreters.current())
            spec = SandboxSpec("python", code, memory_mb=512)
            _, ready = await _start(factory, spec)
            modules = [entry[0] for entry in ready["imports"]]
            await factory.prepare_packages("bench", spec, modules, {"TZ": ":UTC"})
            forked = SandboxSpec("python", code, memory_mb=512, template="bench")
            for what, spares in (("no spare", 0), ("spare", 1)):
                factory.keep_spares("bench", spares)
                samples = []
                for _ in range(ROUNDS):
                    await asyncio.sleep(PAUSE_S)
                    samples.append((await _start(factory, forked))[0])
                median = statistics.median(samples)
                report.add(Row(f"sandbox: pandas until ready, {what}, median", median, "ms", floor, "clone()"))
        finally:
            await factory.close()


async def _start(factory: AgentFactory, spec: SandboxSpec) -> tuple[float, Mapping[str, Any]]:
    began = time.perf_counter()
    sandbox = await factory.start(spec)
    loop = asyncio.get_running_loop()
    try:
        meta = {"handler": "app.handler", "environment": {}, "task_root": "/var/task"}
        await loop.sock_sendall(sandbox.control, frames.encode(frames.INIT, meta))
        decoder = frames.Decoder()
        while True:
            for frame in decoder.feed(await loop.sock_recv(sandbox.control, 1 << 16)):
                if frame.kind != frames.READY:
                    raise RuntimeError(json.loads(frame.payload))
                return (time.perf_counter() - began) * 1000, frame.meta
    finally:
        await _end(sandbox)


async def _end(sandbox: Sandbox) -> None:
    sandbox.control.close()
    os.close(sandbox.output)
    if sandbox.endpoint is not None:
        sandbox.endpoint.close()
    await sandbox.discard()
