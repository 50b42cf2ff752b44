"""Debuggers: one instance of a function's $LATEST that has a debugger's other half in it, while somebody wants it.

Theory of operation. The instance runs the function's code with further files, which load the debugger and then the
handler; it is kept ready like a provisioned one, has no other beside it, is never frozen and has no time limit to speak
of. What it listens on is in its sandbox's network, where only this server can reach it (`Sandbox.dial`), and does so
for whoever opened the session. When that ends, the instance ends, and calls run what they ran before.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mayfly.engine.api import Engine
from mayfly.errors import CallerError, PlatformError
from mayfly.sandbox.api import Sandbox, SandboxSpec
from mayfly.services.contract import ServiceError
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.development.sessions import Development
from mayfly.services.functions.development.substitutes import Probe
from mayfly.services.functions.engine_targets import FunctionTarget

TIMEOUT_S = 6 * 3600  # of calls, and of init: half as long as an instance's credentials
LOOK_EVERY_S, TELL_EVERY_S = 0.1, 5.0
ABANDONED_S = 20.0  # that nobody read on for so long
LISTENS_WITHIN_S = 30.0
MOST_SANDBOXES = 8
_CONNECT_S = 2.0


class DebuggedError(CallerError):
    """Somebody debugs the function already."""


class NotDebuggedError(CallerError):
    """There is no such session, or it has ended."""


class NotListeningError(PlatformError):
    """Nothing takes a connection in the instance: it has not come so far, or its init failed."""


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """How the instance is to be."""

    archive: bytes = b""  # a zip of further files
    handler: str | None = None  # that loads the function's own; None: the function's own
    variables: dict[str, str] = {}


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the instance stands."""

    state: str  # starting, ready, failed
    reason: str = ""
    root: str = ""  # where it sees its code


@dataclass(slots=True)
class _Session:
    read_at: float
    target: FunctionTarget | None = None  # None: it is being made ready
    sandboxes: list[tuple[Path, Sandbox]] = field(default_factory=list)
    watch: "asyncio.Task[None] | None" = None

    def has(self, code: Path) -> bool:
        """Whether a sandbox with this code may be one of it."""
        return self.target is None or self.target.sandbox.code == code


class Debugging:
    """All sessions, by the name of the function."""

    def __init__(self, development: Development, catalog: Catalog, engine: Engine) -> None:
        self._development = development
        self._catalog = catalog
        self._engine = engine
        self._sessions: dict[str, _Session] = {}

    async def open(self, name: str, wanted: Wanted) -> AsyncGenerator[Told, None]:
        """Begin a session, which ends when nobody reads on, and tell how its instance stands, at least now and then.

        `ServiceError`, `DebuggedError`, and what `Development.swap` raises, before anything is told.
        """
        if name in self._sessions:
            raise DebuggedError(f"{name} is being debugged by somebody already")
        loop = asyncio.get_running_loop()
        session = self._sessions[name] = _Session(loop.time())
        try:
            await self._development.probe(
                name, wanted.archive, Probe(TIMEOUT_S, wanted.handler, dict(wanted.variables))
            )
            entry = await self._catalog.get(name)
            session.target = entry.target
            self._engine.provision(entry.target, 1)
            session.read_at = loop.time()
            session.watch = loop.create_task(self._watch(name, session), name=f"debugger of {name}")
        except BaseException:
            await asyncio.shield(self._close(name))
            raise
        return self._told(name, session)

    async def dial(self, name: str, port: int) -> socket.socket:
        """A connection to what listens at a port in the instance, as soon as it does. The caller owns it.

        `NotDebuggedError`, `NotListeningError`.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LISTENS_WITHIN_S
        while (session := self._sessions.get(name)) is not None:
            for code, sandbox in reversed(session.sandboxes):
                if session.has(code) and (made := await _connected(sandbox, port)) is not None:
                    return made
            if loop.time() > deadline:
                raise NotListeningError(f"nothing listens at port {port} in the instance of {name}")
            await asyncio.sleep(LOOK_EVERY_S)
        raise NotDebuggedError(f"{name} is not being debugged")

    def started(self, spec: SandboxSpec, sandbox: Sandbox) -> None:
        """Told of every sandbox; those of sessions are kept in mind."""
        for session in self._sessions.values():
            if session.has(spec.code):  # spares are, too, and one that takes another's place
                session.sandboxes = [*session.sandboxes[-MOST_SANDBOXES:], (spec.code, sandbox)]

    async def _told(self, name: str, session: _Session) -> AsyncGenerator[Told, None]:
        assert session.target is not None
        key, level = session.target.shared_key, session.target.sandbox.level
        root = str(session.target.sandbox.code) if level == "process" else "/var/task"
        last, loop = Told(""), asyncio.get_running_loop()
        told_at = 0.0
        try:
            while self._sessions.get(name) is session:
                session.read_at = loop.time()
                view = self._engine.provisioned(key)
                if view is None:  # it was deployed, or deleted, meanwhile
                    yield Told("ended", "its code or its configuration was changed", root)
                    return
                state = "ready" if view.available else "failed" if view.failure else "starting"
                now = Told(state, view.failure or "" if state == "failed" else "", root)
                if now != last or loop.time() - told_at > TELL_EVERY_S:
                    last, told_at = now, loop.time()
                    yield now
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            if self._sessions.get(name) is session:
                await asyncio.shield(self._close(name))

    async def _watch(self, name: str, session: _Session) -> None:
        """End a session whose reader went away before it began to read, or does not read on."""
        loop = asyncio.get_running_loop()
        while True:
            left_s = session.read_at + ABANDONED_S - loop.time()
            if left_s <= 0:
                break
            await asyncio.sleep(left_s)
        session.watch = None
        await self._close(name)

    def current(self, name: str) -> object:
        """What stands for the session that there is, for `end`."""
        return self._sessions.get(name)

    async def end(self, name: str, session: object | None = None) -> None:
        """End the session, or just this one. What its instance runs fails, for it may stand still at a breakpoint for
        ever. Idempotent."""
        if session is None or self._sessions.get(name) is session:
            await self._close(name)

    async def close(self) -> None:
        """End all sessions."""
        for name in list(self._sessions):
            await self._close(name)

    async def _close(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is not None and session.watch is not None:
            session.watch.cancel()
        if session is not None and session.target is not None:
            self._engine.provision(session.target, 0)
            self._engine.retire(session.target.shared_key)
            for code, sandbox in session.sandboxes:
                if session.has(code):
                    sandbox.kill()
        with suppress(ServiceError):
            await self._development.release(name)


async def _connected(sandbox: Sandbox, port: int) -> socket.socket | None:
    """None where nothing listens, or the sandbox has ended."""
    try:
        made = await sandbox.dial()
    except ConnectionError:
        return None
    try:
        async with asyncio.timeout(_CONNECT_S):
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    except (OSError, TimeoutError):
        made.close()
        return None
    except BaseException:
        made.close()
        raise
    return made
