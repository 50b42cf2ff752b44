"""Which factory makes a sandbox: that of the level that its specification names, and no other.

A server has one level for all functions that do not ask for another. Beside it are the levels of the OCI runtimes that
every installation knows and of those that it was configured with; their supervisors start with the first sandbox. A
level that this machine cannot give is an error that says why, never another level.
"""

import asyncio
import contextlib
import dataclasses
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mayfly.app.answer_doors import AnswerDoors
from mayfly.app.certificates import NAME
from mayfly.app.sandboxes import Interpreters, PreparedFactory
from mayfly.egress.outlets import Outlets
from mayfly.errors import PlatformError
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import (
    Interpreter,
    Prepared,
    Sandbox,
    SandboxFactory,
    SandboxSpec,
    SandboxStartError,
    SandboxUnavailableError,
    TemplateRefusedError,
)
from mayfly.sandbox.choice import template_name
from mayfly.sandbox.denials import Denials
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.oci import runtimes
from mayfly.sandbox.oci.factory import OciFactory
from mayfly.services.functions.runtimes import RuntimeAbsent, RuntimeChoice
from mayfly.settings import EngineSettings


def oci_factory(
    level: str, settings: EngineSettings, home: Path, denials: Denials | None = None, shared: Sequence[Path] = ()
) -> OciFactory:
    """The factory of an OCI runtime's level, configured or known; `SandboxUnavailableError`. `home` is a directory for
    all of them; `denials` hears what sandboxes are refused."""
    for configured in settings.oci_runtimes:
        if configured.name == level:
            made = runtimes.made(level, str(configured.program), configured.arguments)
            return OciFactory(home / level, made, denials, shared)
    if level not in runtimes.KNOWN:
        raise SandboxUnavailableError(f"this server knows no level {level!r}")
    found = runtimes.locate(level, os.defpath + ":/usr/local/bin:/usr/local/sbin:/usr/sbin")
    return OciFactory(home / level, found, denials, shared)


class Levels:
    """A `SandboxFactory` over those of all levels."""

    def __init__(
        self,
        own: SandboxFactory,
        known: Interpreters,
        settings: EngineSettings,
        home: Path,
        outlets: Outlets,
        denials: Denials | None = None,
        doors: AnswerDoors | None = None,
    ) -> None:
        """`own` makes what asks for the server's own level; `outlets` open the ways out. They are closed with this.
        `denials` hears what sandboxes of other levels are refused."""
        self._denials = denials
        self._outlets = outlets
        self._doors = doors
        self._own = PreparedFactory(own, known)
        self._known = known
        self._settings = settings
        self._home = home
        self._others: dict[str, PreparedFactory] = {}
        self._of_templates: dict[str, PreparedFactory] = {}  # by key
        self._watch: Callable[[SandboxSpec, Sandbox], None] = lambda spec, sandbox: None

    @property
    def level(self) -> str:
        """The server's own."""
        return self._own.level

    def _of(self, level: str) -> PreparedFactory:
        if level == self._own.level:
            return self._own
        if level not in self._others:
            if self._own.level == "process":
                raise SandboxUnavailableError(f"this server isolates nothing, so it does not give the level {level!r}")
            self._others[level] = PreparedFactory(
                oci_factory(level, self._settings, self._home, self._denials, (self._home.parent / NAME,)), self._known
            )
        return self._others[level]

    async def obstacle(self, level: str) -> str | None:
        """Why this machine cannot give a level, found out by trying; None: it can."""
        try:
            own = interpreters.current()
            await self._of(level).prepare(template_name(own), own)
        except PlatformError as error:
            return str(error)
        return None

    def layers(self, level: str) -> tuple[str, ...]:
        """What stands between a sandbox of a level and everything else; empty where nothing does, or it is unknown."""
        with contextlib.suppress(SandboxUnavailableError):
            factory = self._of(level).factory
            if isinstance(factory, AgentFactory | OciFactory):
                return factory.layers
        return ()

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        """At the server's own level; at others, `start` does it."""
        await self._own.prepare(runtime, interpreter)

    def watch(self, started: Callable[[SandboxSpec, Sandbox], None]) -> None:
        """Call `started` with every sandbox that was started, before anything else is done with it."""
        self._watch = started

    async def start(self, spec: SandboxSpec) -> Sandbox:
        sandbox = await self._start(spec)
        self._watch(spec, sandbox)
        return sandbox

    async def _start(self, spec: SandboxSpec) -> Sandbox:
        factory = self._of(spec.level)
        if self._doors is not None and spec.level != "process":
            return await self._with_door(factory, spec, self._doors)
        return await self._let_out(factory, spec)

    async def _with_door(self, factory: PreparedFactory, spec: SandboxSpec, doors: AnswerDoors) -> Sandbox:
        """With a way to answer stacks, where one waits for answers."""
        sandbox = await self._let_out(factory, spec)
        doors.started(spec, sandbox)
        if doors.wanted():
            await doors.open(sandbox)
        return sandbox

    async def _let_out(self, factory: PreparedFactory, spec: SandboxSpec) -> Sandbox:
        if not spec.egress:
            return await factory.start(spec)
        if spec.level == "process":
            if spec.egress.everything:
                return await factory.start(spec)
            raise SandboxUnavailableError(f"egress {spec.egress} cannot be enforced at the level 'process'")
        return await self._reaching_out(factory, spec)

    async def _reaching_out(self, factory: PreparedFactory, spec: SandboxSpec) -> Sandbox:
        """With its way out open before any of its code runs, so nobody speaks to it ahead of that."""
        sandbox = await factory.start(dataclasses.replace(spec, greeting=None))
        try:
            await self._outlets.attach(sandbox, spec.egress, spec.owner)
        except BaseException as error:
            await asyncio.shield(_give_back(sandbox))
            if isinstance(error, PlatformError | ConnectionError):
                raise SandboxStartError(f"no way out could be opened: {error}") from error
            raise
        return sandbox

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        factory = self._for_template(key, spec)
        return await factory.prepare_packages(key, spec, modules, environment)

    async def prepare_function(
        self,
        key: str,
        spec: SandboxSpec,
        handler: str,
        environment: Mapping[str, str],
        serve: Callable[[socket.socket], Callable[[], None]] | None,
    ) -> Prepared:
        if spec.egress:
            raise TemplateRefusedError(
                "its init may reach out of its sandbox, and connections do not survive being forked"
            )
        factory = self._for_template(key, spec)
        return await factory.prepare_function(key, spec, handler, environment, serve)

    def _for_template(self, key: str, spec: SandboxSpec) -> PreparedFactory:
        try:
            factory = self._of_templates[key] = self._of(spec.level)
        except SandboxUnavailableError as error:
            raise TemplateRefusedError(str(error)) from error
        return factory

    def drop_template(self, key: str) -> None:
        factory = self._of_templates.pop(key, None)
        if factory is not None:
            factory.drop_template(key)

    def template_bytes(self, key: str) -> int:
        factory = self._of_templates.get(key)
        return factory.template_bytes(key) if factory is not None else 0

    def choose(self, runtime: str) -> RuntimeChoice | RuntimeAbsent:
        """`Interpreters.choose`, for functions that are made or run: where the first start would take long because its
        runtime has to be prepared, that begins now."""
        choice = self._known.choose(runtime)
        if isinstance(choice, RuntimeChoice) and choice.pooled is not None:
            self._own.expect(choice.template)
        if isinstance(choice, RuntimeChoice) and choice.java is not None:
            self._known.expect(choice.template)
        return choice

    async def warm(self) -> None:
        """Prepare the running interpreter's own runtime at the server's own level."""
        await self._own.warm()

    async def close(self) -> None:
        await self._outlets.close()
        for factory in (*self._others.values(), self._own):
            await factory.close()


async def _give_back(sandbox: Sandbox) -> None:
    sandbox.control.close()
    os.close(sandbox.output)
    for listener in (sandbox.endpoint, sandbox.runtime_api):
        if listener is not None:
            listener.close()
    await sandbox.discard()
