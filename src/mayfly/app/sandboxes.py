"""Which sandboxes this platform makes, and from which interpreters.

A factory wants a runtime prepared before the first start in it. Preparing takes a few hundred milliseconds and memory,
so it happens when a function first needs the runtime; the running interpreter's own is prepared at start, in the
background, because most functions will want it.
"""

import asyncio
import dataclasses
import importlib.util
import itertools
import logging
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mayfly.errors import PlatformError
from mayfly.sandbox import answers, choice, interpreters, jdks, nodes, rubies
from mayfly.sandbox.api import Interpreter, Prepared, Sandbox, SandboxFactory, SandboxSpec, SandboxUnavailableError
from mayfly.sandbox.choice import template_name
from mayfly.sandbox.java import launch
from mayfly.sandbox.wasm import artifacts
from mayfly.services.functions.machine import host_architecture
from mayfly.services.functions.runtimes import PROVIDED, RETIRED, RuntimeAbsent, RuntimeChoice

_log = logging.getLogger(__name__)


class Interpreters:
    """The interpreters and JDKs of this machine, and which of them serves a runtime identifier."""

    def __init__(
        self, found: Sequence[Interpreter], runtimes: Path, *, substitute: bool = True, retired: bool = False
    ) -> None:
        """`runtimes` is a directory for what is made of them; `substitute`: one of another version may serve, with a
        warning; `retired`: so it may for identifiers that AWS accepts no longer."""
        self._launchers = {template_name(jdk): launch.place(runtimes, jdk) for jdk in found if jdk.language == "java"}
        self._compiling: dict[Path, asyncio.Task[None]] = {}
        self._found = found
        self._substitute = substitute
        self._retired = retired
        self.by_template = {template_name(interpreter): interpreter for interpreter in found}
        if sys.platform == "linux" and importlib.util.find_spec("wasmtime") is not None:
            self.by_template[artifacts.NAME] = interpreters.current()

    @classmethod
    async def discover(
        cls,
        path: str,
        home: Path,
        runtimes: Path,
        remembered: Path,
        *,
        java_home: str = "",
        substitute: bool = True,
        retired: bool = False,
    ) -> "Interpreters":
        """Look at the machine, in threads: each interpreter is asked for its version, unless the file `remembered` has
        what it said before. The rest is as for `Interpreters`."""
        known = await asyncio.to_thread(answers.Answers, remembered)
        found = await asyncio.gather(
            asyncio.to_thread(interpreters.find, path, home, known.probe(interpreters.probe)),
            asyncio.to_thread(nodes.find, path, home, runtimes, known.probe(nodes.probe)),
            asyncio.to_thread(jdks.find, path, java_home),
            asyncio.to_thread(rubies.find, path, home, known.probe(rubies.probe)),
        )
        await asyncio.to_thread(known.keep)
        return cls(tuple(itertools.chain(*found)), runtimes, substitute=substitute, retired=retired)

    def choose(self, runtime: str) -> RuntimeChoice | RuntimeAbsent:
        """What runs `runtime` here, or why nothing does."""
        if runtime == artifacts.NAME:
            if artifacts.NAME in self.by_template:
                return RuntimeChoice(artifacts.NAME)
            return RuntimeAbsent("it needs Linux, and the package wasmtime installed where Mayfly is")
        try:
            chosen = choice.choose(runtime, self._found, substitute=self._substitute)
        except SandboxUnavailableError as error:
            return RuntimeAbsent(str(error))
        if runtime in RETIRED and not self._retired:
            used = f"{chosen.interpreter.language} {choice.dotted(chosen.interpreter)}"
            return RuntimeAbsent(f"Mayfly runs its functions on {used} where it is started with --retired-runtimes")
        name = template_name(chosen.interpreter)
        if chosen.interpreter.language == "nodejs":
            return RuntimeChoice(
                name,
                chosen.warning,
                compiles_as=nodes.compiles_as(chosen.interpreter),
                pooled=lambda variables: not nodes.must_start_anew(variables),
            )
        if chosen.interpreter.language == "java":
            java = chosen.interpreter.path, self._launchers[name]
            return RuntimeChoice(name, chosen.warning, contract="program", java=java)
        if chosen.interpreter.language == "ruby":
            command = rubies.command(chosen.interpreter)
            return RuntimeChoice(name, chosen.warning, contract="program", command=command)
        return RuntimeChoice(name, chosen.warning, chosen.interpreter.path)

    async def with_launcher(self, spec: SandboxSpec) -> SandboxSpec:
        """A specification with what its runtime needs to be seen in the sandbox: Ruby's bootstrap, Java's launcher,
        compiled first."""
        jdk = self.by_template.get(spec.runtime)
        if jdk is not None and jdk.language == "ruby":
            return dataclasses.replace(spec, layers=(*spec.layers, rubies.LAYER))
        if jdk is None or jdk.language != "java":
            return spec
        at = self._launchers[spec.runtime]
        task = self._compiling.get(at)
        if task is None or task.done():  # where it is done, only a look is taken
            task = self._compile(jdk, at)
        await asyncio.shield(task)
        return dataclasses.replace(spec, runtime="", layers=(*spec.layers, at))

    def expect(self, template: str) -> None:
        """Functions of it may start soon: compile their launcher, if they have one. What goes wrong is told then."""
        at = self._launchers.get(template)
        if at is not None and at not in self._compiling:
            self._compile(self.by_template[template], at)

    def _compile(self, jdk: Interpreter, at: Path) -> "asyncio.Task[None]":
        task = self._compiling[at] = asyncio.create_task(
            asyncio.to_thread(launch.compiled, jdk, at), name=f"compile-{at.name}"
        )
        task.add_done_callback(_heard)
        return task

    def warnings(self, runtime: str, architectures: Sequence[str] = ()) -> list[str]:
        """What whoever looks at a function of `runtime` should know."""
        return [*self._of_runtime(runtime), *_of_architecture(architectures)]

    def substitutes(self, runtimes: Iterable[str]) -> dict[str, str]:
        """Those of `runtimes` that an interpreter of another version serves, and that version: "3.13"."""
        served = {}
        for runtime in runtimes:
            try:
                chosen = choice.choose(runtime, self._found, substitute=self._substitute)
            except SandboxUnavailableError:
                continue
            if chosen.warning is not None:
                served[runtime] = ".".join(map(str, chosen.interpreter.version[:2]))
        return served

    def _of_runtime(self, runtime: str) -> list[str]:
        if runtime in PROVIDED:
            return []
        chosen = self.choose(runtime)
        if isinstance(chosen, RuntimeAbsent):
            return [chosen.reason]
        return [chosen.warning] if chosen.warning else []


def _of_architecture(asked: Sequence[str]) -> list[str]:
    host = host_architecture()
    if not asked or host in asked:
        return []
    return [
        f"it asks for {asked[0]} and runs on this machine's {host}; what machine code its package holds has to be for "
        f"{host}"
    ]


class PreparedFactory:
    """A `SandboxFactory` that prepares each runtime once, when it is first needed."""

    def __init__(self, factory: SandboxFactory, known: Interpreters) -> None:
        self.factory = factory
        self._known = known
        self._prepared: dict[str, asyncio.Task[None]] = {}

    @property
    def level(self) -> str:
        return self.factory.level

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        task = self._prepared.get(runtime)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(self.factory.prepare(runtime, interpreter), name=f"prepare-{runtime}")
            task.add_done_callback(_heard)
            self._prepared[runtime] = task
        await asyncio.shield(task)

    def expect(self, runtime: str) -> None:
        """Functions of it may start soon: prepare it in the background. What goes wrong is told at the first start."""
        interpreter = self._known.by_template.get(runtime)
        if interpreter is not None and runtime not in self._prepared:
            task = asyncio.create_task(self.factory.prepare(runtime, interpreter), name=f"prepare-{runtime}")
            task.add_done_callback(_heard)
            self._prepared[runtime] = task

    async def start(self, spec: SandboxSpec) -> Sandbox:
        spec = await self._known.with_launcher(spec)
        if spec.program and not spec.runtime:
            own = interpreters.current()
            await self.prepare(template_name(own), own)  # launchers are forked from it
        else:
            await self._have(spec.runtime)
        return await self.factory.start(spec)

    async def _have(self, runtime: str) -> None:
        interpreter = self._known.by_template.get(runtime)
        if interpreter is None:
            raise SandboxUnavailableError(f"the interpreter behind {runtime} is no longer on this machine")
        await self.prepare(runtime, interpreter)

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        await self._have(spec.runtime)
        return await self.factory.prepare_packages(key, spec, modules, environment)

    async def prepare_function(
        self,
        key: str,
        spec: SandboxSpec,
        handler: str,
        environment: Mapping[str, str],
        serve: Callable[[socket.socket], Callable[[], None]] | None,
    ) -> Prepared:
        await self._have(spec.runtime)
        return await self.factory.prepare_function(key, spec, handler, environment, serve)

    def drop_template(self, key: str) -> None:
        self.factory.drop_template(key)

    def template_bytes(self, key: str) -> int:
        return self.factory.template_bytes(key)

    async def warm(self) -> None:
        """Prepare the running interpreter's own runtime; what goes wrong is logged, and told at the first start."""
        own = interpreters.current()
        try:
            await self.prepare(template_name(own), own)
        except PlatformError as error:
            _log.warning("functions cannot be started yet: %s", error)

    async def close(self) -> None:
        await self.factory.close()


def _heard(task: "asyncio.Task[None]") -> None:
    """Take note of a failure that nobody waits for any more, as when the platform stops while it is starting."""
    if not task.cancelled():
        task.exception()
