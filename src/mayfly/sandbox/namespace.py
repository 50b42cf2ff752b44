"""The `namespace` level as the server sees it: `AgentFactory`, over a privileged agent process.

The composition root calls `launch` before it has an event loop and `attach` inside it.
"""

import asyncio
import dataclasses
import re
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mayfly.clock import SystemClock
from mayfly.sandbox import interpreters
from mayfly.sandbox.agent_client import Agent, heed
from mayfly.sandbox.agent_sandbox import AgentSandbox
from mayfly.sandbox.api import (
    Interpreter,
    Prepared,
    Sandbox,
    SandboxSpec,
    SandboxStartError,
    SandboxUnavailableError,
    TemplateLostError,
    TemplateRefusedError,
)
from mayfly.sandbox.denials import Denials
from mayfly.sandbox.nest_client import Nest
from mayfly.sandbox.pool import Pool

TASK_ROOT = "/var/task"
_LAUNCHER = "launcher"  # a runtime that is prepared for launchers alone
_LABEL = re.compile(r"[A-Za-z0-9_-]{0,32}")


class AgentFactory:
    """`SandboxFactory` of the `namespace` level. It starts the agent anew should it die."""

    level = "namespace"

    def __init__(
        self, directory: Path, agent: Agent, denials: Denials, pooled: int, shared: Sequence[Path] = ()
    ) -> None:
        """Use `launch`."""
        self._shared = shared
        self._pool = Pool(self, pooled, SystemClock())
        self._directory = directory
        self._denials = denials
        self._agent = agent
        self._runtimes: dict[str, Interpreter] = {}
        self._nests: dict[str, Nest] = {}  # by key of the template
        self._closed = False
        self._reviving: asyncio.Task[None] | None = None

    @classmethod
    def launch(
        cls, directory: Path, denials: Denials | None = None, pooled: int = 0, shared: Sequence[Path] = ()
    ) -> Self:
        """Start the agent, which keeps its lock and its mount points in `directory`. Returns before it is ready.

        `denials` hears which system calls sandboxes are refused; None: nobody is told.
        `shared`: files that every sandbox sees below /var/runtime.
        At most `pooled` processes wait for functions that may have them; see `SandboxSpec.pooled`.

        Call it before anything else has started threads or an event loop, so that the agent inherits nothing.
        `SandboxUnavailableError` on systems without namespaces.
        """
        if sys.platform != "linux":
            raise SandboxUnavailableError("namespaces need Linux; the level `process` exists for development")
        directory = directory.absolute()  # the agent does not stay in this process's working directory
        denials = denials or Denials(SystemClock())
        return cls(directory, Agent(directory, denials=denials, shared=shared), denials, pooled, shared)

    @property
    def layers(self) -> tuple[str, ...]:
        """What is in force in every sandbox, once the agent is attached."""
        return self._agent.layers

    async def attach(self) -> None:
        """Wait until the agent is ready; `SandboxUnavailableError` says what this machine lacks."""
        await self._agent.attach()

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        """See `SandboxFactory`; `SandboxUnavailableError` when the interpreter cannot be used."""
        await self._agent_alive()
        await self._agent.prepare(runtime, interpreter)
        self._runtimes[runtime] = interpreter

    async def start(self, spec: SandboxSpec) -> Sandbox:
        if _LABEL.fullmatch(spec.label) is None:
            raise ValueError(f"{spec.label!r} is no label: up to 32 letters, digits, _ and -")
        if spec.program and not spec.runtime:
            spec = dataclasses.replace(spec, runtime=await self._platforms_own())
        if spec.runtime not in self._runtimes:
            raise SandboxStartError(f"the runtime {spec.runtime} was not prepared")
        await self._agent_alive()
        if spec.template is None:
            waited = await self._pool.take(spec) if spec.pooled else None
            if waited is not None:
                return waited
            made = await self._agent.start(spec)
            if self._runtimes[spec.runtime].language == "nodejs":
                made.came_from("process")
            return made
        nest = self._nests.get(spec.template)
        if nest is None or nest.over:
            self.drop_template(spec.template)
            raise TemplateLostError(f"there is no template {spec.template!r}")
        return await self._agent.start(spec, nest.id)

    async def _platforms_own(self) -> str:
        """The runtime whose template launchers are forked from: that of this process's interpreter, or any other."""
        if all(interpreter.language != "python" for interpreter in self._runtimes.values()):
            await self.prepare(_LAUNCHER, interpreters.current())
        own = interpreters.current().path
        names = [name for name, interpreter in self._runtimes.items() if interpreter.path == own]
        return (names or [name for name, one in self._runtimes.items() if one.language == "python"])[0]

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        return await self._prepare(key, spec, {"modules": list(modules)}, environment, None)

    async def prepare_function(
        self,
        key: str,
        spec: SandboxSpec,
        handler: str,
        environment: Mapping[str, str],
        serve: Callable[[socket.socket], Callable[[], None]] | None,
    ) -> Prepared:
        return await self._prepare(key, spec, {"modules": [], "handler": handler}, environment, serve)

    async def _prepare(
        self,
        key: str,
        spec: SandboxSpec,
        asked: Mapping[str, Any],
        environment: Mapping[str, str],
        serve: Callable[[socket.socket], Callable[[], None]] | None,
    ) -> Prepared:
        if spec.program:
            raise TemplateRefusedError("a program cannot be forked")
        if spec.runtime not in self._runtimes:
            raise TemplateRefusedError(f"the runtime {spec.runtime} was not prepared")
        await self._agent_alive()
        self.drop_template(key)
        agent = self._agent
        nest = await agent.nest(spec)
        try:
            prepared = await nest.prepare({**asked, "environment": dict(environment), "task_root": TASK_ROOT}, serve)
        except BaseException:
            agent.drop(nest)
            raise
        self.drop_template(key)
        self._nests[key] = nest
        agent.open(nest)
        return prepared

    def drop_template(self, key: str) -> None:
        nest = self._nests.pop(key, None)
        if nest is not None:
            self._agent.drop(nest)

    def template_bytes(self, key: str) -> int:
        nest = self._nests.get(key)
        return nest.memory_bytes if nest is not None else 0

    async def close(self) -> None:
        self._closed = True
        if self._reviving is not None:
            self._reviving.cancel()
            await asyncio.gather(self._reviving, return_exceptions=True)
        await self._pool.close()
        await self._agent.close()

    async def vacant(self, spec: SandboxSpec) -> AgentSandbox:
        """For the pool: a sandbox that waits for a function with the limits of `spec`."""
        await self._agent_alive()
        return await self._agent.vacant(spec)

    async def fit(self, sandbox: AgentSandbox, spec: SandboxSpec) -> None:
        """For the pool: give it its function; `SandboxStartError`."""
        await self._agent.fit(sandbox, spec)

    async def _agent_alive(self) -> None:
        """A dead agent took all its sandboxes with it; what it knew is told to a new one."""
        if self._closed:
            raise SandboxStartError("the sandboxes are shutting down")
        if not self._agent.dead:
            return
        if self._reviving is None:
            self._reviving = asyncio.create_task(self._revive(), name="revive the agent")
            self._reviving.add_done_callback(heed)
        await asyncio.shield(self._reviving)  # who goes away takes it from nobody else

    async def _revive(self) -> None:
        """Have a new agent, ready for all that was prepared; nothing is left of it when that fails."""
        try:
            await self._agent.close()
            agent = Agent(self._directory, denials=self._denials, shared=self._shared)
            await agent.attach()
            try:
                for runtime, interpreter in self._runtimes.items():
                    await agent.prepare(runtime, interpreter)
            except BaseException:
                await agent.close()
                raise
            self._agent = agent
        finally:
            self._reviving = None
