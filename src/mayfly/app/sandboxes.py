"""Which sandboxes this platform makes, and from which interpreters.

A factory wants a runtime prepared before the first start in it. Preparing takes a few hundred milliseconds and memory,
so it happens when a function first needs the runtime; the running interpreter's own is prepared at start, in the
background, because most functions will want it.
"""

import asyncio
import importlib.util
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mayfly.errors import PlatformError
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import Interpreter, Prepared, Sandbox, SandboxFactory, SandboxSpec, SandboxUnavailableError
from mayfly.sandbox.wasm import artifacts
from mayfly.services.functions.runtimes import RuntimeChoice

_log = logging.getLogger(__name__)


def template_name(interpreter: Interpreter) -> str:
    """The template that runs an interpreter: `python3.11`."""
    return f"python{interpreter.version[0]}.{interpreter.version[1]}"


class Interpreters:
    """The Pythons of this machine, and the answer to which of them serves a runtime identifier."""

    def __init__(self, found: Sequence[Interpreter]) -> None:
        self._found = found
        self.by_template = {template_name(interpreter): interpreter for interpreter in found}
        if importlib.util.find_spec("wasmtime") is not None:
            self.by_template[artifacts.NAME] = interpreters.current()

    @classmethod
    async def discover(cls, path: str, home: Path) -> "Interpreters":
        """Look at the machine, in a thread: each interpreter is asked for its version."""
        return cls(await asyncio.to_thread(interpreters.find, path, home))

    def choose(self, runtime: str) -> RuntimeChoice | None:
        """What runs `runtime` here; None when nothing does."""
        if runtime == artifacts.NAME:
            return RuntimeChoice(artifacts.NAME) if artifacts.NAME in self.by_template else None
        try:
            choice = interpreters.choose(runtime, self._found)
        except SandboxUnavailableError:
            return None
        return RuntimeChoice(template_name(choice.interpreter), choice.warning, choice.interpreter.path)


class PreparedFactory:
    """A `SandboxFactory` that prepares each runtime once, when it is first needed."""

    def __init__(self, factory: SandboxFactory, known: Interpreters) -> None:
        self._factory = factory
        self._known = known
        self._prepared: dict[str, asyncio.Task[None]] = {}

    @property
    def level(self) -> str:
        return self._factory.level

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        task = self._prepared.get(runtime)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(self._factory.prepare(runtime, interpreter), name=f"prepare-{runtime}")
            task.add_done_callback(_heard)
            self._prepared[runtime] = task
        await asyncio.shield(task)

    async def start(self, spec: SandboxSpec) -> Sandbox:
        if spec.program and not spec.runtime:
            own = interpreters.current()
            await self.prepare(template_name(own), own)  # launchers are forked from it
        else:
            await self._have(spec.runtime)
        return await self._factory.start(spec)

    async def _have(self, runtime: str) -> None:
        interpreter = self._known.by_template.get(runtime)
        if interpreter is None:
            raise SandboxUnavailableError(f"the interpreter behind {runtime} is no longer on this machine")
        await self.prepare(runtime, interpreter)

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        await self._have(spec.runtime)
        return await self._factory.prepare_packages(key, spec, modules, environment)

    async def prepare_function(
        self,
        key: str,
        spec: SandboxSpec,
        handler: str,
        environment: Mapping[str, str],
        serve: Callable[[socket.socket], Callable[[], None]] | None,
    ) -> Prepared:
        await self._have(spec.runtime)
        return await self._factory.prepare_function(key, spec, handler, environment, serve)

    def drop_template(self, key: str) -> None:
        self._factory.drop_template(key)

    def template_bytes(self, key: str) -> int:
        return self._factory.template_bytes(key)

    async def warm(self) -> None:
        """Prepare the running interpreter's own runtime; what goes wrong is logged, and told at the first start."""
        own = interpreters.current()
        try:
            await self.prepare(template_name(own), own)
        except PlatformError as error:
            _log.warning("functions cannot be started yet: %s", error)

    async def close(self) -> None:
        await self._factory.close()


def _heard(task: "asyncio.Task[None]") -> None:
    """Take note of a failure that nobody waits for any more, as when the platform stops while it is starting."""
    if not task.cancelled():
        task.exception()
