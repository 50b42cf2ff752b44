"""The `process` level: the managed runtime as an ordinary process of this user. No isolation; development only.

It exists for machines that cannot give namespaces (macOS, locked-down containers) and must be asked for. The code
runs with the user's rights, sees the user's files and network, and shares /tmp; memory, CPU and process limits are
not enforced. Its processes form a process group and are ended as one.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path

from mayfly.sandbox import interpreters, parcel
from mayfly.sandbox.api import (
    Exit,
    Interpreter,
    Origin,
    Place,
    Sandbox,
    SandboxSpec,
    SandboxStartError,
    SandboxUnavailableError,
)
from mayfly.sandbox.without_templates import WithoutTemplates

_PROGRAM = (
    "import sys, json; sys.path.insert(0, sys.argv[1]); "
    "from mayfly.sandbox.python import alone; sys.path.pop(0); "
    "alone.main(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], json.loads(sys.argv[5]), json.loads(sys.argv[6]))"
)
_LAUNCHER = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from mayfly.sandbox.python import launcher; sys.path.pop(0); "
    "launcher.alone(int(sys.argv[2]), int(sys.argv[3]))"
)
_NODE_PROGRAM = (
    "import sys, json; sys.path.insert(0, sys.argv[1]); "
    "from mayfly.sandbox.node import alone; sys.path.pop(0); "
    "alone.main(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], json.loads(sys.argv[5]))"
)
_LABEL = re.compile(r"[A-Za-z0-9_-]{0,32}")


class ProcessSandbox:
    """One process group; see `Sandbox`."""

    endpoint: socket.socket | None = None
    origin: Origin = "process"

    layers: tuple[str, ...] = ()

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        control: socket.socket,
        output: int,
        runtime_api: socket.socket | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._id = uuid.uuid4().hex
        self._process = process
        self._control = control
        self._output = output
        self._runtime_api = runtime_api
        self._killed = False
        self._peak = 0
        self._status = -1  # a descriptor for others, once asked for
        self._exit: asyncio.Future[Exit] = loop.create_future()
        threading.Thread(target=self._wait, args=(loop,), name=f"wait-{process.pid}", daemon=True).start()

    @property
    def id(self) -> str:
        return self._id

    @property
    def control(self) -> socket.socket:
        return self._control

    @property
    def output(self) -> int:
        return self._output

    @property
    def runtime_api(self) -> socket.socket | None:
        return self._runtime_api

    async def dial(self) -> socket.socket:
        if self._exit.done():
            raise ConnectionError("the sandbox has ended")
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setblocking(False)
        return made

    async def listen(self, places: Sequence[Place]) -> list[socket.socket]:
        raise SandboxUnavailableError("a process has the network of the machine; nothing can be put in its place")

    async def exited(self) -> Exit:
        return await asyncio.shield(self._exit)

    def peak_memory(self) -> int:
        """The peak of the runtime's own process; what its children used is not counted."""
        if self._exit.done():
            return self._exit.result().peak_memory_bytes
        with contextlib.suppress(OSError), open(f"/proc/{self._process.pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmHWM:"):
                    self._peak = max(self._peak, int(line.split()[1]) << 10)
        return self._peak

    def freeze(self) -> bool:
        """Not at this level. SIGSTOP is no substitute: the function sees it in its children and can undo it, and its
        children may have left the group."""
        return False

    def thaw(self) -> None:
        """There is nothing to undo."""

    def peak_file(self) -> int | None:
        if self._status < 0 and not self._exit.done():
            with contextlib.suppress(OSError):
                self._status = os.open(f"/proc/{self._process.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        return self._status if self._status >= 0 else None

    def limit_cpus(self, cpus: float) -> None:
        """Nothing limits a process."""

    def kill(self) -> None:
        if not self._exit.done():
            self._killed = True
            _kill_group(self._process.pid)

    async def discard(self) -> Exit:
        self.kill()
        return await self.exited()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: wait for the leader without burying it, so that its group's number stays taken while the rest
        of the group is killed; then bury it."""
        pid = self._process.pid
        if hasattr(os, "waitid"):  # macOS has it from Python 3.13 on
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            _kill_group(pid)
        _, status, usage = os.wait4(pid, 0)
        if not hasattr(os, "waitid"):
            _kill_group(pid)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss << 10
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._ended, self._process.returncode, peak)

    def _ended(self, code: int, peak: int) -> None:
        if self._status >= 0:
            os.close(self._status)
            self._status = -1
        if code >= 0:
            self._exit.set_result(Exit("exited", code, peak))
        else:
            self._exit.set_result(Exit("killed" if self._killed else "signaled", -code, peak))


class ProcessFactory(WithoutTemplates):
    """`SandboxFactory` of the `process` level."""

    level = "process"

    def __init__(self) -> None:
        self._interpreters: dict[str, Interpreter] = {}
        self._sandboxes: set[ProcessSandbox] = set()
        self._watching: set[asyncio.Task[None]] = set()
        self._closed = False
        self._runtime: Path | None = None  # a directory with links to the packages
        self._lifeline, self._held = os.pipe()  # nobody writes; it closes when this process dies

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        """Note the interpreter; there is no template at this level."""
        if self._runtime is None:
            self._runtime = Path(tempfile.mkdtemp(prefix="mayfly-runtime-"))
            for package in parcel.packages():
                (self._runtime / package.name).symlink_to(package)
        self._interpreters[runtime] = interpreter

    async def start(self, spec: SandboxSpec) -> Sandbox:
        if _LABEL.fullmatch(spec.label) is None:
            raise ValueError(f"{spec.label!r} is no label: up to 32 letters, digits, _ and -")
        if self._closed:
            raise SandboxStartError("the sandboxes are shutting down")
        self.refuse_template(spec)
        if spec.root is not None:
            raise SandboxStartError("the level 'process' shows the machine's own file system, and no other")
        interpreter = interpreters.current() if spec.program else self._interpreters.get(spec.runtime)
        if interpreter is None:
            raise SandboxStartError(f"the runtime {spec.runtime} was not prepared")
        for path in (spec.code, *spec.layers):
            if not path.is_dir():
                raise SandboxStartError(f"{path} is no directory")
        control, theirs = socket.socketpair()
        output, write_end = os.pipe()
        listener = _listen() if spec.program else None
        try:
            process = self._spawn(interpreter, spec, theirs.fileno(), write_end)
        except OSError as error:
            if listener is not None:
                listener.close()
            control.close()
            os.close(output)
            raise SandboxStartError(f"{interpreter.path} cannot be started: {error}") from error
        finally:
            theirs.close()
            os.close(write_end)
        control.setblocking(False)
        os.set_blocking(output, False)
        sandbox = ProcessSandbox(process, control, output, listener)
        self._sandboxes.add(sandbox)
        task = asyncio.create_task(self._forget(sandbox))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return sandbox

    def _spawn(
        self, interpreter: Interpreter, spec: SandboxSpec, control: int, output: int
    ) -> "subprocess.Popen[bytes]":
        python, program, arguments = self._command(interpreter, spec)
        arguments = [str(parcel.source()), str(control), str(self._lifeline), *arguments]
        return subprocess.Popen(
            [str(python), "-I", "-S", "-X", "utf8", "-c", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[control, self._lifeline],
            start_new_session=True,
        )

    def _command(self, interpreter: Interpreter, spec: SandboxSpec) -> tuple[Path, str, list[str]]:
        """The Python that starts a runtime, how, and what it is told beyond the descriptors."""
        if spec.program:
            return interpreter.path, _LAUNCHER, []
        layers = [str(layer.absolute()) for layer in reversed(spec.layers)]
        if interpreter.language == "nodejs":
            runtime = interpreter.modules.parent if interpreter.modules is not None else self._runtime
            places = json.dumps({"layers": layers, "runtime": str(runtime)})
            bootstrap = json.dumps([str(parcel.node_bootstrap()), places])
            return interpreters.current().path, _NODE_PROGRAM, [str(interpreter.path), bootstrap]
        told = [str(self._runtime), json.dumps(layers), json.dumps(parcel.resident(spec.runtime))]
        return interpreter.path, _PROGRAM, told

    async def _forget(self, sandbox: ProcessSandbox) -> None:
        await sandbox.exited()
        self._sandboxes.discard(sandbox)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*(sandbox.discard() for sandbox in list(self._sandboxes)))
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
            self._runtime = None
        os.close(self._lifeline)
        os.close(self._held)


def _listen() -> socket.socket:
    """Somewhere on the machine's own loopback: at this level there is no other."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS, only zombies are left
        os.killpg(leader, signal.SIGKILL)
