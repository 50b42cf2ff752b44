"""What instances cost that nobody calls: memory, processors, and the first call after a rest.

`python -m benchmarks.idle --instances 1000` runs this alone, with so many instances.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load
from benchmarks.memory import alone_mb
from benchmarks.platform import Running, descendants, make_function, pss_mb, running, zipped_with
from benchmarks.report import Report, Row, console
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import Sandbox, SandboxSpec
from mayfly.sandbox.namespace import AgentFactory

INSTANCES = 1000
FUNCTIONS = 4  # what runs at once must keep within the budget of memory, what is idle need not
FEW = 20
REST_S = 1.5  # longer than any grace of an instance that is called so often
WATCH_S = 10.0
HELLO = "import time\ndef handler(event, context):\n    time.sleep(event.get('hold', 0))\n    return 'hello'\n"
FRAME = (
    "import time, numpy, pandas\ndef handler(event, context):\n    time.sleep(event.get('hold', 0))\n"
    "    return pandas.__version__\n"
)
# What one idle instance with pandas may need at most; the case makes fewer where memory would not suffice.
_MOST_MB = 8


def idle(platform: Running, report: Report, instances: int = INSTANCES) -> None:
    """On a platform of its own, which keeps instances for an hour, and no spares. `platform` is not used."""
    del platform
    isolation = "namespace" if os.geteuid() == 0 else "process"
    package = zipped_with(FRAME, "numpy", "pandas")
    with running(isolation, "--keep-alive", "fixed:3600", "--spares", "0") as mine:
        _nothing(mine, report)
        hello = make_function(mine, "idle-hello", HELLO, memory_mb=128)
        few = make_function(mine, "idle-pandas", FRAME, memory_mb=128, package=package)
        awake = make_function(mine, "idle-awake", HELLO, memory_mb=128)
        many = [make_function(mine, f"idle-many-{n}", FRAME, memory_mb=128, package=package) for n in range(FUNCTIONS)]
        for name in (hello, few, awake, *many):
            asyncio.run(_call(mine, name, 1, 0.0))
            time.sleep(1)  # templates are made in the background
        for what, name in (("hello", hello), ("pandas", few)):
            _few(mine, report, what, name)
        _first_call_after_a_rest(mine, report, awake)
        each = min(instances, int(_available_mb() * 0.8 / _MOST_MB)) // FUNCTIONS
        _many(mine, report, many, awake, each)
    if isolation == "namespace":
        asyncio.run(_thaw(report))


# Memory.


def memory(platform: Running, report: Report) -> None:
    """What runs when nothing does, and what one idle instance of a small function adds; on a platform without spares,
    which are counted apart. `platform` is not used."""
    del platform
    isolation = "namespace" if os.geteuid() == 0 else "process"
    with running(isolation, "--keep-alive", "fixed:3600", "--spares", "0") as mine:
        _nothing(mine, report)
        hello = make_function(mine, "memory-hello", HELLO, memory_mb=128)
        asyncio.run(_call(mine, hello, 1, 0.0))
        _few(mine, report, "hello", hello)


def _nothing(platform: Running, report: Report) -> None:
    _settle(platform)
    everything = [platform.pid, *descendants(platform.pid)]
    report.add(
        Row("idle platform, nothing deployed: server (PSS)", _pss([platform.pid]), "MiB"),
        Row("idle platform, nothing deployed (PSS)", _pss(everything), "MiB"),
        Row("idle platform, nothing deployed, as if no other Python ran", alone_mb(everything), "MiB"),
    )


def _few(platform: Running, report: Report, what: str, name: str) -> None:
    _settle(platform)
    before = _pss(descendants(platform.pid))
    asyncio.run(_call(platform, name, FEW, 2.0))
    _settle(platform)
    added = (_pss(descendants(platform.pid)) - before) / (FEW - 1)  # one was there
    report.add(Row(f"idle instance, {what}: memory added (PSS)", added, "MiB"))


@dataclass
class _Before:
    """What a machine used before there were many."""

    processes: list[int]
    pss: float
    available: float


def _many(platform: Running, report: Report, names: list[str], other: str, each: int) -> None:
    """`each` instances of each function, all idle afterwards."""
    count = each * len(names)
    below = descendants(platform.pid)
    before = _Before(below, _pss([platform.pid, *below]), _available_mb())
    base_ms = _warm_ms(platform, other)
    began = time.perf_counter()
    hold_s = 3.0 + each / 100
    for name in names:
        asyncio.run(_call(platform, name, each, hold_s))
    elapsed = time.perf_counter() - began - hold_s * len(names)
    _settle(platform)
    below = descendants(platform.pid)
    instances = [pid for pid in below if pid not in before.processes]
    report.add(
        Row(f"{count} idle instances, pandas: until all had run", elapsed, "s"),
        Row(f"{count} idle instances, pandas: less available memory", before.available - _available_mb(), "MiB"),
        Row(f"{count} idle instances, pandas: PSS added", _pss([platform.pid, *below]) - before.pss, "MiB"),
        Row(f"{count} idle instances, pandas: tables of pages", sum(map(_tables_mb, instances)), "MiB"),
        Row(f"{count} idle instances, pandas: processes", len(instances), ""),
        Row(f"{count} idle instances, pandas: descriptors of the server", _descriptors(platform.pid), ""),
    )
    used = {pid: _cpu_s(pid) for pid in (*instances, platform.pid, *before.processes)}
    time.sleep(WATCH_S)
    after = {pid: _cpu_s(pid) for pid in used}
    took = {pid: max(0.0, after[pid] - used[pid]) for pid in used}  # 0 of what ended meanwhile
    frozen = sum(took[pid] for pid in instances)
    rest = sum(took.values()) - frozen
    report.add(
        Row(f"{count} idle instances: CPU used by them in {WATCH_S:g} s", frozen * 1000, "ms"),
        Row(f"{count} idle instances: CPU used by the platform in {WATCH_S:g} s", rest * 1000, "ms"),
        Row(
            f"{count} idle instances: warm latency of another function",
            _warm_ms(platform, other),
            "ms",
            base_ms,
            "before",
        ),
    )
    began = time.perf_counter()
    for name in names:
        asyncio.run(_call(platform, name, each, 1.0))
    elapsed = time.perf_counter() - began - len(names)
    report.add(Row(f"{count} idle instances: until all of them ran again", elapsed, "s"))


# Time.


def _first_call_after_a_rest(platform: Running, report: Report, name: str) -> None:
    request = platform.invoke_request(name)
    first, second = [], []
    for _ in range(20):
        time.sleep(REST_S)
        for samples in (first, second):
            samples.append(_one_ms(platform.port, request))
    medians = statistics.median(first), statistics.median(second)
    report.add(Row("first call after a rest, median", medians[0], "ms", medians[1], "the next call"))


def _one_ms(port: int, request: bytes) -> float:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(request)
        reply = connection.recv(65536)
        elapsed = (time.perf_counter() - began) * 1000
    if not reply.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a call failed: {reply[:200]!r}")
    return elapsed


async def _thaw(report: Report) -> None:
    """A round trip through a sandbox that was frozen, beside one that only rested as long."""
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-agent-") as directory:
        code = Path(directory) / "code"
        code.mkdir()
        (code / "app.py").write_text(HELLO)
        for path in (Path(directory), code):
            path.chmod(0o755)
        factory = AgentFactory.launch(Path(directory) / "agent")
        try:
            await factory.attach()
            await factory.prepare("python", interpreters.current())
            sandbox = await factory.start(SandboxSpec("python", code))
            meta = {"handler": "app.handler", "environment": {}, "task_root": "/var/task"}
            await _exchange(sandbox, frames.encode(frames.INIT, meta))
            call = frames.encode_call(1, frames.call_head("r", 0, "a"), b"{}")
            frozen, rested = [], []
            for _ in range(100):
                for samples, freeze in ((frozen, True), (rested, False)):
                    if freeze and not sandbox.freeze():
                        raise RuntimeError("this machine cannot freeze")
                    await asyncio.sleep(0.02)
                    began = time.perf_counter()
                    if freeze:
                        sandbox.thaw()
                    await _exchange(sandbox, call)
                    samples.append((time.perf_counter() - began) * 1000)
            median = statistics.median(rested)
            report.add(Row("sandbox: thaw and a call, median", statistics.median(frozen), "ms", median, "a call"))
            sandbox.control.close()
            os.close(sandbox.output)
            if sandbox.endpoint is not None:
                sandbox.endpoint.close()
            await sandbox.discard()
        finally:
            await factory.close()


async def _exchange(sandbox: Sandbox, frame: bytes) -> None:
    """Send a frame, and wait for the answer, which must not be an error."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sandbox.control, frame)
    decoder = frames.Decoder()
    while data := await loop.sock_recv(sandbox.control, 1 << 16):
        for answer in decoder.feed(data):
            if answer.kind not in {frames.READY, frames.RESULT}:
                raise RuntimeError(f"an instance failed: {answer.payload!r}")
            return
    raise RuntimeError("an instance ended")


def _warm_ms(platform: Running, name: str) -> float:
    subject = load.Subject(platform.port, platform.pid, platform.invoke_request(name), b'"hello"')
    found = load.run(subject, 1, 2.0)
    if found.errors:
        raise RuntimeError(f"{found.errors} warm replies were errors")
    return found.p50_ms


async def _call(platform: Running, name: str, count: int, hold_s: float) -> None:
    """`count` calls at once, each of which holds its instance."""
    request = platform.invoke_request(name, json.dumps({"hold": hold_s}).encode())

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", platform.port)
        try:
            writer.write(request)
            line = await reader.readline()
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in line or b"x-amz-function-error" in head.lower():
                raise RuntimeError(f"a call failed: {line + head + await reader.read(500)!r}")
        finally:
            writer.close()

    await asyncio.gather(*(one() for _ in range(count)))


# What the kernel knows.


def _settle(platform: Running) -> None:
    """Wait until whatever is under way has ended, and idle instances are frozen."""
    time.sleep(1.0)
    while True:
        before = sum(map(_cpu_s, [platform.pid, *descendants(platform.pid)]))
        time.sleep(0.5)
        if sum(map(_cpu_s, [platform.pid, *descendants(platform.pid)])) - before < 0.05:
            return


def _pss(pids: Iterable[int]) -> float:
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):  # it is gone
            total += pss_mb(pid)
    return total


def _available_mb() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not say how much memory is available")


def _tables_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmPTE:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _cpu_s(pid: int) -> float:
    """Time on a processor of all threads of a process, to the nanosecond."""
    total = 0.0
    with contextlib.suppress(OSError):
        for thread in os.scandir(f"/proc/{pid}/task"):
            total += int(Path(thread.path, "schedstat").read_text().split()[0]) / 1e9
    return total


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--instances", type=int, default=INSTANCES)
    report = Report()
    with running("process") as unused:
        idle(unused, report, parser.parse_args().instances)
    report.print()
    console.print("All memory is in MiB of 1,048,576 bytes.")


if __name__ == "__main__":
    main()
