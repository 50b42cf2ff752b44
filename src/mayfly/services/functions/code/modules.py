"""Compiles WebAssembly when it arrives, and again when the machine or the engine has become another.

The compiler is a process apart, shut in (`sandbox.wasm.compiler`); what it sends is stored beside the sources by a
thread here, read by nobody but the function's own sandbox, and trusted no further. Whether a module can be run at all
is known from then on, so creating a function with one that cannot be is refused with the reason.
"""

import asyncio
import importlib.metadata
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from mayfly.errors import PlatformError
from mayfly.sandbox import interpreters, parcel
from mayfly.sandbox.wasm import artifacts
from mayfly.sandbox.wasm.artifacts import Verdict
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.code.unpack import sync_directory

_TIMEOUT_S = 300.0
_AT_ONCE = 2  # compilers, of which each uses several processors
_MOST_VERDICT = 1 << 16
_CLEARED = "wasm-cleared"  # mark of a package in whose `artifacts.DIRECTORY` only ours is
_PROGRAM = (
    "import sys; sys.path[1:1] = [sys.argv[1]]; sys.path.append(sys.argv[2]); "
    "from mayfly.sandbox.wasm import compiler; compiler.main(sys.argv[3], int(sys.argv[4]))"
)
_ENVIRONMENT = {"RAYON_NUM_THREADS": str(min(4, os.cpu_count() or 1))}

_log = logging.getLogger(__name__)


class Modules:
    """Compiles files of packages, and remembers in the library what came of it."""

    def __init__(self, library: CodeLibrary, fingerprint: Callable[[], str] | None = None) -> None:
        self._library = library
        self._find_fingerprint = fingerprint or _fingerprint
        self._known: str | None = None
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._storing = asyncio.Lock()
        self._under_way: dict[tuple[str, str], asyncio.Task[Verdict]] = {}

    def place(self, handler: str) -> str:
        """Where an instance finds the compiled `handler`, in the package."""
        return artifacts.place(handler, self._fingerprint())

    async def prepare(self, sha256: str, handler: str) -> Verdict:
        """Have the file `handler` of a package compiled, unless it is; what the compiler found. `PlatformError`."""
        name = f"{artifacts.NAME}-{self.place(handler).replace('/', '-')}"
        if self._library.marked(sha256, name):
            stored = await self._library.in_thread(partial(self._stored, sha256, handler))
            if stored is not None:
                return stored
        key = sha256, name
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._compile(sha256, handler, name))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fingerprint(self) -> str:
        if self._known is None:
            self._known = self._find_fingerprint()
        return self._known

    def _stored(self, sha256: str, handler: str) -> Verdict | None:
        """None: it is gone, as after an upgrade of the engine that was undone."""
        path = self._library.directory(sha256) / (self.place(handler) + artifacts.VERDICT)
        try:
            return Verdict.decoded(path.read_bytes())
        except (OSError, ValueError) as error:
            _log.warning("what was compiled of %s is compiled again: %s", handler, error)
            return None

    async def _compile(self, sha256: str, handler: str, mark: str) -> Verdict:
        with self._library.pinned(sha256):
            draft = self._library.draft()
            try:
                async with self._turn:
                    verdict = await self._run(sha256, handler, draft)
                await self._keep(sha256, handler, verdict, draft)
                await self._library.mark(sha256, mark)
            except OSError as error:
                raise PlatformError(f"{handler} cannot be compiled: {error}") from error
            finally:
                draft.unlink(missing_ok=True)
        if verdict.error is not None:
            _log.debug("%s of %s cannot be run: %s", handler, sha256, verdict.error)
        return verdict

    async def _keep(self, sha256: str, handler: str, verdict: Verdict, draft: Path) -> None:
        tree = self._library.directory(sha256)
        async with self._storing:
            if not self._library.marked(sha256, _CLEARED):
                await self._library.in_thread(partial(clear, tree))
                await self._library.mark(sha256, _CLEARED)
            await self._library.in_thread(partial(store, tree, self.place(handler), verdict, draft))

    async def _run(self, sha256: str, handler: str, draft: Path) -> Verdict:
        """Have `draft` filled by a compiler. A compiler that dies has found that the file cannot be compiled."""
        parts = handler.split("/")
        if handler.startswith("/") or ".." in parts or "" in parts:
            return Verdict(error="is no path in the package")
        with draft.open("wb") as out:
            child = await asyncio.create_subprocess_exec(
                str(interpreters.current().path),
                *("-I", "-S", "-B", "-X", "utf8", "-c", _PROGRAM),
                *(str(parcel.source()), str(parcel.wasmtime()), handler, str(out.fileno())),
                cwd=self._library.directory(sha256),
                env=_ENVIRONMENT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=[out.fileno()],
            )
        assert child.stdout is not None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                said = await child.stdout.read(_MOST_VERDICT)
                status = await child.wait()
            return Verdict.decoded(said) if status == 0 else Verdict(error=f"ended its compiler, with status {status}")
        except TimeoutError:
            return Verdict(error=f"took its compiler longer than {_TIMEOUT_S:.0f} s")
        except ValueError:
            return Verdict(error="made its compiler talk nonsense")
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def store(tree: Path, place: str, verdict: Verdict, draft: Path) -> None:
    """Put the machine code that `draft` holds, and the verdict, which says that it is whole, into the package."""
    directory = tree.joinpath(place).parent
    if not directory.is_dir():
        clear(tree)  # of what earlier engines had
        directory.mkdir(parents=True)
    if verdict.kind is not None:
        _place(draft, tree / (place + artifacts.CODE))
    draft.write_bytes(verdict.encoded())
    _place(draft, tree / (place + artifacts.VERDICT))
    sync_directory(directory)


def _place(draft: Path, path: Path) -> None:
    """Move a file to where functions read it, written through."""
    with draft.open("rb") as file:
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    draft.replace(path)


def clear(tree: Path) -> None:
    """Remove what a zip has brought at the place of ours."""
    place = tree / artifacts.DIRECTORY
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _fingerprint() -> str:
    return artifacts.fingerprint(importlib.metadata.version("wasmtime"))
