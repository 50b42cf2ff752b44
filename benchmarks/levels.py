"""Starts of instances by level of isolation, each beside its floor: the bare call of what isolates at that level.

Below the server, without templates and spares: what a level costs by itself. A start is over when the sandbox runs
(*made*), and when the runtime in it has answered its first frame (*ready*). Rounds of all levels and floors alternate.
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from benchmarks import floors
from benchmarks.platform import Running
from benchmarks.report import Report, Row, console
from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import SandboxFactory, SandboxSpec, SandboxUnavailableError
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.oci import runtimes
from mayfly.sandbox.oci.factory import OciFactory

ROUNDS = 15
_RUNTIME = "python3.x"
_HELLO = 'def handler(event, context):\n    return "hello"\n'

# A process of its own for the bare calls: crun refuses machines with control groups of both versions, so the second is
# taken out of its sight. Each line that it reads is one call; it answers with the milliseconds that this took.
_CALLS = """
import json, os, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from mayfly.sandbox.agent import hierarchy, kernel
command, bundle, state = json.loads(sys.argv[2]), sys.argv[3], sys.argv[4]
kernel.unshare(kernel.CLONE_NEWNS)
kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
if hierarchy.read_layout().version == 1:
    for where in hierarchy.unified_mounts():
        kernel.unmount(where)
for number, _ in enumerate(sys.stdin):
    began = time.perf_counter()
    words = [*command, "--root", state, "run", "--bundle", bundle, f"floor-{os.getpid()}-{number}"]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print((time.perf_counter() - began) * 1000, flush=True)
"""
# Nothing but /bin/true in new namespaces: no limits, no filter, no user of its own.
_BUNDLE = {
    "ociVersion": "1.0.2",
    "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "env": ["PATH=/bin"], "cwd": "/"},
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
        *(
            {"destination": path, "source": path, "type": "bind", "options": ["rbind", "ro"]}
            for path in ("/usr", "/bin", "/lib", "/lib64")
            if os.path.isdir(path)
        ),
    ],
    "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]},
}


def levels(platform: Running, report: Report) -> None:
    """Namespaces, and what OCI runtimes give. `platform` is not used."""
    del platform
    if os.geteuid() != 0:
        console.print("  needs root")
        return
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-levels-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        (home / "code").mkdir(mode=0o755)
        (home / "code" / "hello.py").write_text(_HELLO)
        asyncio.run(_measure(home, report))


async def _measure(home: Path, report: Report) -> None:
    async with AsyncExitStack() as stack:
        factories: dict[str, SandboxFactory] = {"namespace": await stack.enter_async_context(_namespaces(home))}
        bare: dict[str, subprocess.Popen[str]] = {}
        for level in reversed(runtimes.KNOWN):
            try:
                factories[level] = await stack.enter_async_context(_containers(level, home))
            except SandboxUnavailableError as error:
                console.print(f"  {error}")
                continue
            bare[level] = stack.enter_context(
                _calls(runtimes.locate(level, os.environ["PATH"]), home / f"bare-{level}")
            )
        made: dict[str, list[float]] = {level: [] for level in factories}
        ready: dict[str, list[float]] = {level: [] for level in factories}
        floor: dict[str, list[float]] = {level: [] for level in factories}
        for _ in range(ROUNDS):
            for level, factory in factories.items():
                floor[level].append(floors.fork_with_namespaces_ms(1) if level == "namespace" else _call(bare[level]))
                for into, value in zip((made, ready), await _start(factory, home / "code"), strict=True):
                    into[level].append(value)
    for level in factories:
        least = statistics.median(floor[level])
        is_ = {"namespace": "clone() with namespaces", "container": "bare crun run", "gvisor": "bare runsc run"}[level]
        report.add(
            Row(f"start at the level {level}: made", statistics.median(made[level]), "ms", least, is_),
            Row(f"start at the level {level}: ready", statistics.median(ready[level]), "ms", least, is_),
        )


async def _start(factory: SandboxFactory, code: Path) -> tuple[float, float]:
    """Milliseconds until a sandbox is made, and until its runtime is ready."""
    loop, decoder = asyncio.get_running_loop(), frames.Decoder()
    init = {"handler": "hello.handler", "environment": {}, "task_root": "/var/task"}
    began = time.perf_counter()
    sandbox = await factory.start(SandboxSpec(_RUNTIME, code, memory_mb=512))
    made = time.perf_counter() - began
    await loop.sock_sendall(sandbox.control, frames.encode(frames.INIT, init))
    answered = next(decoder.feed(await loop.sock_recv(sandbox.control, 1 << 16)), None)
    ready = time.perf_counter() - began
    if answered is None or answered.kind != frames.READY:
        raise RuntimeError(f"{factory.level}: the runtime is not ready: {answered}")
    await sandbox.discard()
    sandbox.control.close()
    os.close(sandbox.output)
    for listener in (sandbox.endpoint, sandbox.runtime_api):
        if isinstance(listener, socket.socket):
            listener.close()
    return made * 1000, ready * 1000


@asynccontextmanager
async def _namespaces(home: Path) -> AsyncIterator[AgentFactory]:
    factory = AgentFactory.launch(home / "agent")
    await factory.attach()
    try:
        await factory.prepare(_RUNTIME, interpreters.current())
        yield factory
    finally:
        await factory.close()


@asynccontextmanager
async def _containers(level: str, home: Path) -> AsyncIterator[OciFactory]:
    factory = OciFactory(home / level, runtimes.locate(level, os.environ["PATH"]))
    try:
        await factory.prepare(_RUNTIME, interpreters.current())
        yield factory
    finally:
        await factory.close()


@contextmanager
def _calls(runtime: runtimes.Runtime, bundle: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that calls the bare runtime when it is told to."""
    (bundle / "root").mkdir(parents=True)
    (bundle / "config.json").write_text(
        json.dumps({**_BUNDLE, "root": {"path": str(bundle / "root"), "readonly": True}})
    )
    options = ["--platform=ptrace", "--network=none", "--ignore-cgroups"]
    command = [runtime.program, *(options if runtime.has_own_kernel else runtime.options)]
    source = str(Path(frames.__file__).parents[2])
    arguments = [sys.executable, "-c", _CALLS, source, json.dumps(command), str(bundle), str(bundle / "state")]
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        try:
            yield process
        finally:
            process.kill()


def _call(process: "subprocess.Popen[str]") -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())
