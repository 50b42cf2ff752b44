"""Cold starts: a call that finds no instance, through HTTP, without and with a spare; and the same below the server."""

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
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import floors
from benchmarks.platform import Running, descendants, make_function, pss_mb, running, unzipped, zipped_with
from benchmarks.report import Report, Row
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import Sandbox, SandboxSpec
from mayfly.sandbox.namespace import AgentFactory

ROUNDS = 100
PAUSE_S = 0.1  # between two starts, and between two forks of the floor beside them
SPARE_PAUSE_S = 0.3  # the same where a spare is to be there by then
BURST = 200
PANDAS = ("numpy", "pandas")
# A call that says so ends its instance right after the reply, so that the next call finds none: by a timer of the
# kernel's, because to start a thread, the first one of a process, takes as long as a good part of a start.
_ENDS = """
import os, signal
def handler(event, context):
    if event.get("end"):
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, 0.005)
    return {"statusCode": 200, "body": BODY}
"""
HELLO = "BODY = 'hello'\n" + _ENDS
FRAME = "import time, numpy, pandas\nBODY = pandas.__version__ + numpy.__version__\n" + _ENDS.replace(
    "    return", '    if "hold" in event:\n        time.sleep(event["hold"])\n    return'
)
_END = b'{"end": true}'


def cold(platform: Running, report: Report) -> None:
    """Hello, then a function that imports NumPy and pandas, each on platforms of their own. `platform` is not used."""
    del platform
    root = os.geteuid() == 0
    package = zipped_with(FRAME, *PANDAS)
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-code-") as directory:
        code = Path(directory)
        unzipped(package, code)
        imported = floors.import_ms(code)
        forked = floors.fork_with_namespaces_ms(30, PAUSE_S) if root else None
        loaded = floors.fork_with_pandas_ms(code, PAUSE_S) if root else None
        in_a_row = floors.fork_with_pandas_ms(code) if root else None
        with running(_isolation(), "--spares", "0") as bare:
            hello = make_function(bare, "bench-cold", HELLO)
            frame = make_function(bare, "bench-pandas", FRAME, memory_mb=512, package=package)
            _first(bare, report, "hello", hello, None)
            _first(bare, report, "pandas", frame, imported)
            time.sleep(3)  # the template is made in the background
            _without_spare(bare, report, "hello", hello, forked)
            _without_spare(bare, report, "pandas", frame, loaded)
            # As many instances as a machine of 8 GiB has room for: a template's memory is its own group's.
            many = make_function(bare, "bench-burst", FRAME, memory_mb=128, package=package)
            once(bare.port, bare.invoke_request(many, _END))
            time.sleep(3)
            _burst(bare, report, many, in_a_row)
        if root:
            with running(_isolation(), "--spares", "8") as ahead:
                waiting = floors.waiting_fork_ms(30, SPARE_PAUSE_S)
                hello = make_function(ahead, "bench-cold", HELLO)
                frame = make_function(ahead, "bench-pandas", FRAME, memory_mb=512, package=package)
                for what, name in (("hello", hello), ("pandas", frame)):
                    _with_spare(ahead, report, what, name, waiting)
            asyncio.run(_below_the_server(report, code, loaded, waiting))


def _isolation() -> str:
    return "namespace" if os.geteuid() == 0 else "process"


def _first(platform: Running, report: Report, what: str, name: str, floor: float | None) -> None:
    took = once(platform.port, platform.invoke_request(name, _END))
    report.add(Row(f"cold start: Invoke of {what}, the very first", took, "ms", floor, "python -c"))


def _without_spare(platform: Running, report: Report, what: str, name: str, floor: float | None) -> None:
    samples = _samples(platform, name, PAUSE_S)
    if _counts(platform, name).get("spare"):
        raise RuntimeError(f"a start of {what} used a spare")
    _add(report, f"cold start: Invoke of {what}", samples, floor, "clone()")


def _with_spare(platform: Running, report: Report, what: str, name: str, floor: float) -> None:
    """Rounds until a template and a spare are there do not count."""
    once(platform.port, platform.invoke_request(name, _END))
    time.sleep(3)
    _samples(platform, name, SPARE_PAUSE_S, rounds=3)
    before = _counts(platform, name).get("spare", 0)
    samples = _samples(platform, name, SPARE_PAUSE_S)
    used = _counts(platform, name).get("spare", 0) - before
    if used < len(samples) * 0.95:
        raise RuntimeError(f"only {used} of {len(samples)} starts of {what} used a spare")
    _add(report, f"cold start: Invoke of {what}, spare", samples, floor, "a fork that waits")


def _samples(platform: Running, name: str, pause_s: float, rounds: int = ROUNDS) -> list[float]:
    request = platform.invoke_request(name, _END)
    samples = []
    for _ in range(rounds):
        time.sleep(pause_s)
        samples.append(once(platform.port, request))
    return sorted(samples)


def _add(report: Report, what: str, samples: list[float], floor: float | None, floor_is: str) -> None:
    median = statistics.median(samples)
    report.add(
        Row(f"{what}, median", median, "ms", floor, floor_is),
        Row(f"{what}, p95", samples[int(len(samples) * 0.95)], "ms", median, "the median"),
        Row(f"{what}, p99", samples[int(len(samples) * 0.99) - 1], "ms", median, "the median"),
        Row(f"{what}, most", samples[-1], "ms", median, "the median"),
    )


def _counts(platform: Running, name: str) -> Mapping[str, int]:
    """Starts of a function so far, by path."""
    counts: Mapping[str, int] = platform.page(f"/_mayfly/starts?function={name}&limit=1")["counts"]
    return counts


def once(port: int, request: bytes) -> float:
    """Milliseconds for one request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(request)
        reply = connection.recv(65536)
        elapsed = (time.perf_counter() - began) * 1000
    if not reply.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a cold call failed: {reply.decode(errors='replace')}")
    return elapsed


def _burst(platform: Running, report: Report, name: str, floor_ms: float | None) -> None:
    """Many calls at once where no instance is; each occupies its instance until all are there."""
    below = descendants(platform.pid)
    before = sum(pss_mb(pid) for pid in below)
    request = platform.invoke_request(name, b'{"hold": 3}')
    with ThreadPoolExecutor(BURST) as pool:
        began = time.perf_counter()
        times = list(pool.map(lambda _: once(platform.port, request), range(BURST)))
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


async def _below_the_server(report: Report, code: Path, floor: float | None, waiting: float) -> None:
    """From a request for a sandbox until its runtime is ready, and the last part of it, which a spare leaves."""
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-agent-") as directory:
        factory = AgentFactory.launch(Path(directory))
        try:
            await factory.attach()
            await factory.prepare("python", interpreters.current())
            spec = SandboxSpec("python", code, memory_mb=512)
            _, ready = await _start(factory, spec, 0.0)
            modules = [entry[0] for entry in ready["imports"]]
            await factory.prepare_packages("bench", spec, modules, {"TZ": ":UTC"})
            forked = SandboxSpec("python", code, memory_mb=512, template="bench")
            for what, ahead, beside, of in (
                ("no spare", False, floor, "clone()"),
                ("spare", True, waiting, "a fork that waits"),
            ):
                samples = []
                for _ in range(ROUNDS // 2):
                    await asyncio.sleep(PAUSE_S)
                    samples.append((await _start(factory, replace(forked, ahead=ahead), PAUSE_S))[0])
                median = statistics.median(samples)
                report.add(Row(f"sandbox: pandas until ready, {what}, median", median, "ms", beside, of))
        finally:
            await factory.close()


async def _start(factory: AgentFactory, spec: SandboxSpec, rest_s: float) -> tuple[float, Mapping[str, Any]]:
    """Milliseconds until ready, and what the runtime said then. One that is made ahead rests first; only the time
    from then on counts."""
    began = time.perf_counter()
    sandbox = await factory.start(spec)
    loop = asyncio.get_running_loop()
    try:
        if spec.ahead:
            await asyncio.sleep(rest_s)
            began = time.perf_counter()
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
