"""What V8 makes of a Node.js package's modules, kept beside them, so that instances need not compile them again.

Theory of operation. Bytecode is believed by who loads it, so no instance that has served a call may write any. It is
made by a sandbox that does nothing else, at the function's own level: it loads the handler, as init does, tells what
the engine has compiled, and is ended. It can reach nothing, and knows nothing of the function but its package, its
layers and its handler, with the memory, which decides about the engine's flags. So what it tells follows from what
those bring who use the same package and layers with the same handler, whosever function was first, and holds nothing
that code of theirs could not do in every instance anyway.

It lies in the package, read-only for instances, under what Node.js says that it is good for (its version and flags) and
the handler with the layers. Everything works without it, only slower, so nothing here fails a request: what goes wrong
is logged. Files carry checksums of their own and of their module, which Node.js compares; a stale one is not used.
"""

import asyncio
import base64
import hashlib
import logging
import os
import re
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from mayfly.errors import PlatformError
from mayfly.sandbox import frames
from mayfly.sandbox.api import Sandbox, SandboxSpec
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.model import Configuration
from mayfly.services.functions.runtimes import RuntimeChoice

TASK_ROOT = "/var/task"
DIRECTORY = ".mayfly-node"  # in the package; `sandbox/node/compiling.cjs` looks there
PATIENCE_S = 5.0  # how long a request waits for modules to be compiled; it goes on in the background
_TIMEOUT_S = 15.0
_AT_ONCE = 2
MOST_BYTES = 32 << 20  # of one cache
LEAST_BYTES = 32 << 10  # less saves nothing: to look for it takes as long
MOST_MEMORY_MB = 1024  # of the sandbox; the engine's flags are those of the function all the same
MOST_CACHES = 16  # of one package; beyond it the oldest go
_MOST_OUTPUT = 1 << 20
_CLEARED = "node-cleared"  # mark of a package in whose `DIRECTORY` only ours is
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")

_log = logging.getLogger(__name__)

Start = Callable[[SandboxSpec], Awaitable[Sandbox]]


class CompileCaches:
    """Makes them. `start` makes sandboxes; None, or at the level `process`: there are no caches."""

    def __init__(self, library: CodeLibrary, start: Start | None, region: str) -> None:
        self._library = library
        self._start = start
        self._region = region
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._storing = asyncio.Lock()
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def prepare(
        self, sha256: str, choice: RuntimeChoice, configuration: Configuration, level: str, layers: Path | None = None
    ) -> None:
        """Return when the package has its cache, or after `PATIENCE_S` while it is made."""
        task = self.expect(sha256, choice, configuration, level, layers)
        if task is not None:
            await asyncio.wait({task}, timeout=PATIENCE_S)

    def expect(
        self, sha256: str, choice: RuntimeChoice, configuration: Configuration, level: str, layers: Path | None = None
    ) -> "asyncio.Task[None] | None":
        """Have it made in the background, with the tree of the function's layers, if any, in sight; None when it is
        there, or there can be none."""
        if self._start is None or choice.compiles_as is None or level == "process":
            return None
        key = sha256, _mark(choice.compiles_as, configuration, layers)
        if self._library.marked(*key):
            return None
        task = self._under_way.get(key)
        if task is None:
            spec = SandboxSpec(
                runtime=choice.template,
                code=self._library.directory(sha256),
                layers=(layers,) if layers is not None else (),
                memory_mb=min(configuration.memory_mb, MOST_MEMORY_MB),
                label="compile",
                level=level,
            )
            task = asyncio.create_task(self._make(self._start, *key, spec, configuration), name="compile modules")
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return task

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(
        self, start: Start, sha256: str, mark: str, spec: SandboxSpec, configuration: Configuration
    ) -> None:
        """The boundary around one cache. One that cannot be made is not tried again, unless for want of a sandbox."""
        with self._library.pinned(sha256):
            draft = self._library.draft()
            try:
                async with self._turn:
                    key = await self._fill(draft, await start(spec), configuration)
                if key:
                    where = place(configuration.handler, spec.layers[0].name if spec.layers else "")
                    await self._keep(sha256, f"{key}/{where}", draft)
                await self._library.mark(sha256, mark)
            except (PlatformError, OSError) as error:
                _log.info("the modules of %s are not compiled ahead: %s", sha256, error)
                if not isinstance(error, PlatformError):
                    await self._library.mark(sha256, mark)
            finally:
                await self._library.in_thread(partial(shutil.rmtree, draft, ignore_errors=True))

    async def _fill(self, draft: Path, sandbox: Sandbox, configuration: Configuration) -> str:
        """Write what the sandbox tells to the directory `draft`; what that is good for, empty where it is not worth
        keeping. OSError, also for nonsense."""
        if sandbox.endpoint is not None:
            sandbox.endpoint.close()
        meta = {"handler": configuration.handler, "environment": self._variables(configuration), "task_root": TASK_ROOT}
        size = 0
        try:
            await self._library.in_thread(draft.mkdir)
            async with asyncio.timeout(_TIMEOUT_S), aclosing(_told(sandbox, meta)) as told:
                async for frame in told:
                    name = _checked(frame)
                    if frame.kind == frames.COMPILED:
                        return name if size >= LEAST_BYTES else ""
                    size += len(frame.payload)
                    if size > MOST_BYTES:
                        raise OSError(f"they become more than {MOST_BYTES} bytes")
                    await self._library.in_thread(partial(_write, draft / name, frame.payload))
            raise OSError("what loads them ended")
        except TimeoutError as error:
            raise OSError(f"it took longer than {_TIMEOUT_S:.0f} s") from error
        finally:
            sandbox.control.close()
            os.close(sandbox.output)
            await asyncio.shield(sandbox.discard())

    def _variables(self, configuration: Configuration) -> dict[str, str]:
        """What every function has, and none of its own: others may use the same package."""
        return {
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": "compile",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_REGION": self._region,
            "LAMBDA_TASK_ROOT": TASK_ROOT,
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
        }

    async def _keep(self, sha256: str, where: str, draft: Path) -> None:
        tree = self._library.directory(sha256)
        async with self._storing:
            if not self._library.marked(sha256, _CLEARED):
                await self._library.in_thread(partial(clear, tree))
                await self._library.mark(sha256, _CLEARED)
            await self._library.in_thread(partial(store, tree, where, draft, self._library.draft()))


def place(handler: str, layers: str = "") -> str:
    """The name of a handler's directory, beside layers whose tree has this name."""
    named = base64.urlsafe_b64encode(handler.encode(errors="surrogatepass")).decode().rstrip("=")
    return f"{named}.{layers}" if layers else named


def store(tree: Path, name: str, draft: Path, trash: Path) -> None:
    """Move the directory `draft` into the package; what was there moves to `trash` and goes."""
    target = tree / DIRECTORY / name
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.chmod(0o755)
    with suppress(FileNotFoundError):
        target.rename(trash)
    draft.rename(target)
    shutil.rmtree(trash, ignore_errors=True)
    made = sorted((tree / DIRECTORY).glob("*/*"), key=lambda one: one.stat().st_mtime_ns)
    for old in made[:-MOST_CACHES]:
        shutil.rmtree(old, ignore_errors=True)


def clear(tree: Path) -> None:
    """Remove what a zip has brought at the place of ours."""
    at = tree / DIRECTORY
    if at.is_dir() and not at.is_symlink():
        shutil.rmtree(at)
    else:
        at.unlink(missing_ok=True)


def _mark(compiles_as: str, configuration: Configuration, layers: Path | None) -> str:
    """The mark of a package whose modules were compiled for functions like this one."""
    seen = configuration.handler if layers is None else f"{configuration.handler}\0{layers.name}"
    handler = hashlib.sha256(seen.encode(errors="surrogatepass")).hexdigest()[:32]
    return f"{configuration.runtime}-{compiles_as}-{configuration.memory_mb}-{handler}"


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o644)


def _checked(frame: frames.Frame) -> str:
    """The one word that a frame's head says; OSError."""
    word = frame.meta.get("name" if frame.kind == frames.ARTIFACT else "key")
    if frame.kind not in (frames.ARTIFACT, frames.COMPILED) or not isinstance(word, str):
        raise OSError("what loads them talks nonsense")
    if not _NAME.fullmatch(word) and (word or frame.kind == frames.ARTIFACT):
        raise OSError(f"{word[:64]!r} is no name of theirs")
    return word


async def _told(sandbox: Sandbox, meta: dict[str, Any]) -> AsyncGenerator[frames.Frame, None]:
    """What a sandbox tells that is asked to compile; OSError. What it prints is read, up to a point, and forgotten."""
    loop, decoder = asyncio.get_running_loop(), frames.Decoder()
    printed = 0

    def forget() -> None:
        nonlocal printed
        try:
            read = len(os.read(sandbox.output, 1 << 16))
        except BlockingIOError:
            return
        printed += read
        if not read or printed > _MOST_OUTPUT:
            loop.remove_reader(sandbox.output)

    loop.add_reader(sandbox.output, forget)
    try:
        await loop.sock_sendall(sandbox.control, frames.encode(frames.COMPILE, meta))
        while data := await loop.sock_recv(sandbox.control, 1 << 18):
            for frame in decoder.feed(data):
                yield frame
    except frames.FrameError as error:
        raise OSError(str(error)) from error
    finally:
        loop.remove_reader(sandbox.output)
