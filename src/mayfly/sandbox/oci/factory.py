"""The levels of OCI runtimes as the server sees them: `OciFactory`, over a supervisor process."""

import asyncio
import dataclasses
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.agent_client import Agent
from mayfly.sandbox.agent_process import Entry
from mayfly.sandbox.api import Interpreter, Sandbox, SandboxSpec, SandboxStartError, SandboxUnavailableError
from mayfly.sandbox.denials import Denials
from mayfly.sandbox.oci import runtimes
from mayfly.sandbox.without_templates import WithoutTemplates

_LABEL = re.compile(r"[A-Za-z0-9_-]{0,32}")
_LAUNCHER = "launcher"  # a runtime that is prepared for launchers alone
_TRIAL_S = 10.0
_MOST_SAID = 4096
_TRIAL = {"name": "trial", "argv": ["/bin/true"], "environment": {}, "directory": "/"}


class OciFactory(WithoutTemplates):
    """`SandboxFactory` of one OCI runtime. It starts its supervisor when it is first needed, and anew should it die."""

    def __init__(
        self, directory: Path, runtime: runtimes.Runtime, denials: Denials | None = None, shared: Sequence[Path] = ()
    ) -> None:
        """`directory` is for this factory alone; it need not exist. `denials` hears which system calls are refused,
        where the runtime can tell (crun); None: nobody is told."""
        self.level = runtime.level
        self._denials = denials
        self._shared = shared
        self._directory = directory.absolute()
        self._candidates = list(runtimes.candidates(runtime))
        self._interpreters: dict[str, Interpreter] = {}
        self._supervisor: Agent | None = None
        self._closed = False
        self._launching = asyncio.Lock()

    @property
    def layers(self) -> tuple[str, ...]:
        """What is in force in its sandboxes, as far as it is known before the first of them."""
        return self._candidates[0].layers

    @property
    def program(self) -> str:
        return self._candidates[0].program

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        """See `SandboxFactory`; `SandboxUnavailableError` when this machine cannot give the level."""
        supervisor = await self._alive()
        await supervisor.prepare(runtime, interpreter)
        self._interpreters[runtime] = interpreter

    async def start(self, spec: SandboxSpec) -> Sandbox:
        if _LABEL.fullmatch(spec.label) is None:
            raise ValueError(f"{spec.label!r} is no label: up to 32 letters, digits, _ and -")
        self.refuse_template(spec)
        if not spec.program and spec.runtime not in self._interpreters:
            raise SandboxStartError(f"the runtime {spec.runtime} was not prepared")
        if spec.program and spec.runtime not in self._interpreters:
            spec = dataclasses.replace(spec, runtime=_LAUNCHER)
        return await (await self._alive()).start(spec)

    async def close(self) -> None:
        self._closed = True
        if self._supervisor is not None:
            await self._supervisor.close()

    async def _alive(self) -> Agent:
        """The supervisor. A dead one took all its sandboxes with it; what it knew is told to a new one."""
        if self._closed:
            raise SandboxStartError("the sandboxes are shutting down")
        if self._supervisor is not None and not self._supervisor.dead:
            return self._supervisor
        async with self._launching:
            if self._supervisor is None or self._supervisor.dead:
                if self._supervisor is not None:
                    await self._supervisor.close()
                self._supervisor = await self._launch()
            return self._supervisor

    async def _launch(self) -> Agent:
        """A supervisor of the first way to call the runtime that works; others are not tried again."""
        if sys.platform != "linux" or os.geteuid() != 0:
            raise SandboxUnavailableError(f"the level {self.level!r} needs Linux, and Mayfly to run as root")
        reasons = []
        for runtime in list(self._candidates):
            entry = Entry("mayfly.sandbox.oci.supervisor", (json.dumps(runtime),), runtime.layers)
            supervisor = Agent(self._directory, entry, denials=self._denials, shared=self._shared)
            try:
                await supervisor.attach()
                await supervisor.prepare(_LAUNCHER, interpreters.current())
                await _try(supervisor)
                for name, interpreter in self._interpreters.items():
                    await supervisor.prepare(name, interpreter)
            except (SandboxStartError, SandboxUnavailableError, TimeoutError) as error:
                await supervisor.close()
                reasons.append(f"{' '.join((runtime.program, *runtime.options))}: {str(error) or 'no answer'}")
                continue
            except BaseException:
                await supervisor.close()
                raise
            self._candidates = [runtime]
            return supervisor
        raise SandboxUnavailableError(f"this machine cannot give the level {self.level!r}: {' | '.join(reasons)}")


async def _try(supervisor: Agent) -> None:
    """Run a program, to see whether the runtime works here. `SandboxStartError`, TimeoutError."""
    async with asyncio.timeout(_TRIAL_S):
        spec = SandboxSpec(_LAUNCHER, Path("/usr"), memory_mb=256, program=True, label="trial")
        sandbox = await supervisor.start(spec)
        try:
            await _run(sandbox)
        except ConnectionError:
            said = os.read(sandbox.output, _MOST_SAID).decode(errors="replace").strip() or "and said nothing"
            raise SandboxStartError(f"a trial container ended before its time: {said}") from None
        finally:
            await asyncio.shield(_give_back(sandbox))


async def _run(sandbox: Sandbox) -> None:
    loop, decoder = asyncio.get_running_loop(), frames.Decoder()
    await loop.sock_sendall(sandbox.control, frames.encode(frames.LAUNCH, _TRIAL, number=1))
    while data := await loop.sock_recv(sandbox.control, 1 << 16):
        for frame in decoder.feed(data):
            if frame.kind == frames.ENDED and frame.meta == {"code": 0}:
                return
            if frame.kind in {frames.ENDED, frames.LAUNCH_FAILED}:
                raise SandboxStartError(f"a program does not run in it: {frame.meta}")
    raise ConnectionResetError


async def _give_back(sandbox: Sandbox) -> None:
    await sandbox.discard()
    sandbox.control.close()
    os.close(sandbox.output)
    for listener in (sandbox.endpoint, sandbox.runtime_api):
        if listener is not None:
            listener.close()
