"""Functions that somebody works on: files that change reach $LATEST without a deployment, in milliseconds.

Theory of operation. A swap names the tree that it is a change of: the package that is deployed, or what the last swap
made. A copy of that tree by hard links was made ahead, so a swap writes what changed into the copy, gives it a name in
the library, and has the catalog lead $LATEST there: the next call starts an instance with it, those under way end
where they began. The function as it is stored is not touched; a deployment of other code ends the whole of it, and so
does the end of the server. Instances see a tree as they see a package: read-only.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from mayfly import ids
from mayfly.engine.api import Engine
from mayfly.errors import CallerError
from mayfly.sandbox.wasm import artifacts
from mayfly.services.functions import faults
from mayfly.services.functions.code.archive import ArchiveTooLargeError, BadArchiveError
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.development import trees
from mayfly.services.functions.development.substitutes import Probe, Substitute, Substitutes
from mayfly.services.functions.model import Code, Function


class UnswappableError(CallerError):
    """Code of this function cannot be swapped; the message says why, and what can be done."""


class StaleBaseError(CallerError):
    """The change is one of something else than what runs."""

    def __init__(self, name: str, current: str) -> None:
        super().__init__(f"{name} does not run on what this is a change of: it was deployed, or changed, meanwhile")
        self.current = current


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What to make of a tree."""

    base: str  # of which tree: its name, or a package's SHA-256
    archive: bytes = b""  # a zip of files that are new or different
    removed: tuple[str, ...] = ()


class Standing(msgspec.Struct, frozen=True):
    """What a function runs on."""

    function: str
    base: str  # what the next change is one of
    deployed: str  # the SHA-256 of its package
    swaps: int = 0


class InForce(msgspec.Struct, frozen=True):
    """What a function runs on instead of its package."""

    swaps: int  # since the package was deployed
    debugged: bool  # there is one instance, which waits for a debugger as long as it takes


# A call follows a save, and needs the processor more than the copy for the save after it.
LATER_S = 0.25


@dataclass(slots=True)
class _Copy:
    """Of a tree; made, or being made, or to be made in a moment."""

    making: "asyncio.Task[Path]"
    hurry: asyncio.Event

    async def made(self) -> Path:
        """Where it is, as soon as can be."""
        self.hurry.set()
        return await self.making


@dataclass(slots=True)
class _Session:
    over: str
    current: Code
    swaps: int = 0
    held: ExitStack = field(default_factory=ExitStack)  # keeps the current tree
    ahead: "_Copy | None" = None  # of it
    left: list[tuple[str, str]] = field(default_factory=list)  # trees before it, and the keys of their instances


class Development:
    """All of them. `find` reads a function, `allow` raises what a deployment of other code would, `renew` makes the
    catalog look at one again, `key` is its target's."""

    def __init__(
        self,
        library: CodeLibrary,
        substitutes: Substitutes,
        engine: Engine,
        limit_bytes: int,
        find: Callable[[str], Awaitable[Function]],
        allow: Callable[[str], Awaitable[None]],
        renew: Callable[[str], Awaitable[None]],
        key: Callable[[Function], str],
    ) -> None:
        self._library = library
        self._substitutes = substitutes
        self._engine = engine
        self._limit_bytes = limit_bytes
        self._find = find
        self._allow = allow
        self._renew = renew
        self._key = key
        self._sessions: dict[str, _Session] = {}
        self._probed: dict[str, ExitStack] = {}  # what keeps the trees that debuggers look at
        self._locks: dict[str, asyncio.Lock] = {}
        self._tidying: set[asyncio.Task[None]] = set()

    async def standing(self, name: str) -> Standing:
        """What a function runs on; `ServiceError` when there is none, `UnswappableError`."""
        function = await self._find(name)
        _check(function)
        session = self._session(function)
        if session is None:
            return Standing(name, function.code.sha256, function.code.sha256)
        return Standing(name, session.current.sha256, session.over, session.swaps)

    async def in_force(self, name: str) -> InForce | None:
        """What stands for a function's package now; None: nothing does. `ServiceError` when there is no function."""
        function = await self._find(name)
        substitute = self._substitutes.for_(function)
        if substitute is None:
            return None
        session = self._session(function)
        return InForce(session.swaps if session is not None else 0, substitute.probe is not None)

    async def swap(self, name: str, change: Change) -> Standing:
        """Have the next call run what `change` makes of what runs.

        `ServiceError` when there is no such function or the change is no archive, `StaleBaseError`,
        `UnswappableError`.
        """
        async with self._locks.setdefault(name, asyncio.Lock()):
            function = await self._find(name)
            _check(function)
            await self._allow(name)
            if name in self._probed:
                raise UnswappableError(f"{name} is being debugged: its code stays as it is until that ends")
            session = self._session(function) or await self._begun(function)
            if change.base != session.current.sha256:
                raise StaleBaseError(name, session.current.sha256)
            code = await self._changed(session, change)
            self._sessions[name] = session
            await self._use(name, function, session, code)
            return Standing(name, code.sha256, session.over, session.swaps)

    async def probe(self, name: str, archive: bytes, probe: Probe) -> None:
        """Have $LATEST run with further files, and as `probe` has it, until `release`. Raises what `swap` does."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            function = await self._find(name)
            _check(function)
            if function.configuration.per_tenant:
                raise UnswappableError(f"{name} has instances of their own for tenants, and calls name one of them")
            await self._allow(name)
            session = self._session(function)
            begun = session or await self._begun(function)
            code = await self._changed(begun, Change(begun.current.sha256, archive))
            if session is None:
                begun.held.close()
            else:
                session.ahead = self._copy(session.current.sha256)
            self._probed[name] = ExitStack()
            self._probed[name].enter_context(self._library.pinned(code.sha256))
            self._substitutes.put(name, Substitute(function.code.sha256, code, code.sha256, probe))
            await self._renew(name)

    async def release(self, name: str) -> None:
        """Have it run what it ran before. Idempotent."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            held = self._probed.pop(name, None)
            if held is None:
                return
            held.close()
            if (session := self._sessions.get(name)) is not None:
                code = session.current
                self._substitutes.put(name, Substitute(session.over, code, code.sha256))
            else:
                self._substitutes.drop(name)
            await self._renew(name)

    async def end(self, name: str) -> None:
        """Have a function run its package again. Idempotent."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            if name in self._sessions:
                await self._forget(name)
                await self._renew(name)

    async def close(self) -> None:
        """Nothing is copied any more; trees go with the next start."""
        for session in self._sessions.values():
            session.held.close()
        for task in (*self._tidying, *(one.ahead.making for one in self._sessions.values() if one.ahead is not None)):
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task
        self._sessions = {}

    async def _begun(self, function: Function) -> _Session:
        """One of the package that is deployed now, instead of whatever there was."""
        await self._forget(function.name)
        session = _Session(function.code.sha256, function.code)
        session.held.enter_context(self._library.pinned(function.code.sha256))
        session.ahead = self._copy(function.code.sha256)
        return session

    def _session(self, function: Function) -> _Session | None:
        """That of the package which is deployed now."""
        session = self._sessions.get(function.name)
        return session if session is not None and session.over == function.code.sha256 else None

    async def _changed(self, session: _Session, change: Change) -> Code:
        """A tree of the library: the current one, changed."""
        ready, session.ahead = session.ahead or self._copy(session.current.sha256), None
        tree = await ready.made()
        room = self._limit_bytes - session.current.unzipped
        try:
            grown = await self._library.in_thread(
                partial(trees.amend, tree, change.archive, change.removed, self._limit_bytes)
            )
            if grown > room:
                raise faults.unzipped_too_large(self._limit_bytes)
            name = f"dev-{ids.token(16)}"
            await self._library.in_thread(partial(tree.rename, self._library.directory(name)))
        except BaseException as error:
            session.ahead = self._copy(session.current.sha256)
            await asyncio.shield(self._library.in_thread(partial(shutil.rmtree, tree, ignore_errors=True)))
            if isinstance(error, ArchiveTooLargeError):
                raise faults.unzipped_too_large(self._limit_bytes) from error
            if isinstance(error, BadArchiveError):
                raise faults.not_a_zip() from error
            raise
        return Code(name, session.current.size, session.current.unzipped + grown)

    async def _use(self, name: str, function: Function, session: _Session, code: Code) -> None:
        before = session.current.sha256, self._key(function)
        with ExitStack() as held:
            held.enter_context(self._library.pinned(code.sha256))
            session.held.close()
            session.held = held.pop_all()
        session.current, session.swaps = code, session.swaps + 1
        self._substitutes.put(name, Substitute(session.over, code, code.sha256))
        await self._renew(name)
        session.ahead = self._copy(code.sha256, LATER_S)
        if before[0] != session.over:
            session.left.append(before)
        tidying = asyncio.create_task(self._tidy(session, session.ahead), name="former trees")
        self._tidying.add(tidying)
        tidying.add_done_callback(self._tidying.discard)

    async def _tidy(self, session: _Session, copy: _Copy) -> None:
        """Remove trees that no instance runs from, after the copy. One that somebody begins to use meanwhile there
        cannot be."""
        await asyncio.wait((copy.making,))
        used = {pool.key for pool in self._engine.snapshot()}
        session.left, idle = (
            [one for one in session.left if one[1] in used],
            [tree for tree, key in session.left if key not in used],
        )
        for tree in idle:
            await self._library.discard(tree)

    def _copy(self, tree: str, later_s: float = 0.0) -> _Copy:
        """Begin to copy a tree to where drafts are; `later_s`: from now, unless somebody waits for it."""
        draft, hurry = self._library.draft(), asyncio.Event()

        async def copy() -> Path:
            with self._library.pinned(tree):
                with suppress(TimeoutError):
                    async with asyncio.timeout(later_s):
                        await hurry.wait()
                await self._library.in_thread(partial(trees.clone, self._library.directory(tree), draft))
            return draft

        return _Copy(asyncio.create_task(copy(), name="copy of code"), hurry)

    async def _forget(self, name: str) -> None:
        self._substitutes.drop(name)
        session = self._sessions.pop(name, None)
        if session is None:
            return
        session.held.close()
        if session.ahead is not None:
            with suppress(OSError):
                draft = await session.ahead.made()
                await self._library.in_thread(partial(shutil.rmtree, draft, ignore_errors=True))


def _check(function: Function) -> None:
    """`UnswappableError` for what has no files, or whose files are not what runs."""
    if function.code.image is not None:
        raise UnswappableError(f"{function.name} is a container image: build it again, and deploy that")
    if function.configuration.runtime == artifacts.NAME:
        raise UnswappableError(f"{function.name} is WebAssembly, which is compiled when it arrives: deploy it again")
