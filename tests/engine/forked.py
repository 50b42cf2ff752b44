"""A minimal real sandbox for the engine tests: one child process in a process group of its own, no isolation.

It keeps the contract of `sandbox.api` and nothing more, starts in some 20 ms, and can be told to fail.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit, Interpreter, Origin, Place, SandboxSpec
from mayfly.sandbox.without_templates import WithoutTemplates

CHILD = Path(__file__).with_name("child.py")
PEAK = 12 << 20


class ForkedSandbox:
    origin: Origin = "process"

    def __init__(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        os.set_blocking(read, False)
        ours.setblocking(False)
        command = [sys.executable, "-I", "-S", str(CHILD), str(Path(frames.__file__).parent), str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=write, stderr=write, pass_fds=[theirs.fileno()], process_group=0
        )
        theirs.close()
        os.close(write)
        self.id = f"forked-{number}"
        self.pid = self._process.pid
        self.control = ours
        self.output = read
        self.endpoint: socket.socket | None = None
        self._loop = asyncio.get_running_loop()
        self._killed = False
        self._exit: asyncio.Future[Exit] = self._loop.create_future()
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._died)

    def _died(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._kill_group()
        code = self._process.wait()
        if self._killed:
            self._exit.set_result(Exit("killed", signal.SIGKILL, PEAK))
        elif code < 0:
            self._exit.set_result(Exit("signaled", -code, PEAK))
        elif code == 137:  # how a test says "as if out of memory"
            self._exit.set_result(Exit("out-of-memory", 9, PEAK))
        else:
            self._exit.set_result(Exit("exited", code, PEAK))

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    @property
    def runtime_api(self) -> socket.socket | None:
        return None

    @property
    def layers(self) -> tuple[str, ...]:
        return ()

    async def dial(self) -> socket.socket:
        raise ConnectionError("there is no network")

    async def listen(self, places: Sequence[Place]) -> list[socket.socket]:
        raise ConnectionError("there is no network")

    async def exited(self) -> Exit:
        return await asyncio.shield(self._exit)

    def peak_memory(self) -> int:
        return PEAK

    def peak_file(self) -> int | None:
        return None

    def freeze(self) -> bool:
        return not self._exit.done() and self._stop_or_go(signal.SIGSTOP)

    def thaw(self) -> None:
        self._stop_or_go(signal.SIGCONT)

    def _stop_or_go(self, number: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)
            return True
        return False

    def limit_cpus(self, cpus: float) -> None:
        """Nothing limits it."""

    def kill(self) -> None:
        if not self._exit.done():
            self._killed = True
            self._kill_group()

    async def discard(self) -> Exit:
        self.kill()
        return await self.exited()


class ForkedFactory(WithoutTemplates):
    """`before_start` runs before each start and may raise, or wait."""

    level = "process"

    def __init__(self) -> None:
        self.sandboxes: list[ForkedSandbox] = []
        self.starts = 0
        self.before_start: Callable[[], None] = lambda: None
        self.endpoint: Callable[[], socket.socket | None] = lambda: None
        self.gate = asyncio.Event()
        self.gate.set()

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        return None

    async def start(self, spec: SandboxSpec) -> ForkedSandbox:
        self.starts += 1
        await self.gate.wait()
        self.before_start()
        sandbox = ForkedSandbox(self.starts)
        sandbox.endpoint = self.endpoint()
        self.sandboxes.append(sandbox)
        return sandbox

    async def close(self) -> None:
        for sandbox in self.sandboxes:
            await sandbox.discard()
