"""A sandbox in which attempts are made, one after the other, and another beside it that must not notice."""

import contextlib
import json
from pathlib import Path
from typing import Any

from mayfly.sandbox import frames
from mayfly.sandbox.agent import seccomp
from mayfly.sandbox.api import Exit, SandboxFactory, SandboxSpec
from mayfly.sandbox.wasm import artifacts
from tests.sandbox.talk import RUNTIME, Raised, Talk

CODE = Path(__file__).parent / "code"
# So many attempts are made in one sandbox at the level `namespace`: more refusals than are told to the operator would
# change the answer.
ATTEMPTS = 20
SECRET = "9f8c-a-secret-of-another-function"


class Cell:
    """Sandboxes of one level with the attempts in them; starts another where one has ended, or had its fill."""

    def __init__(self, factory: SandboxFactory) -> None:
        self.level = factory.level
        self.factory = factory
        self._open: list[Talk] = []
        self._talk: Talk | None = None
        self._sibling: Talk | None = None
        self._left = 0

    async def fresh(self, code: Path = CODE, environment: dict[str, str] | None = None, **spec: Any) -> Talk:
        """A sandbox of its own, for an attempt that breaks it."""
        given = {"memory_mb": 256, "ephemeral_mb": 32, "processes": 64, "open_files": 256, **spec}
        talk = Talk(
            await self.factory.start(SandboxSpec(RUNTIME, code, **given)),
            str(code) if self.level == "process" else "/var/task",
        )
        self._open.append(talk)
        frame = await talk.init("attempts.run", environment)
        assert frame.kind == frames.READY, frame
        return talk

    async def module(self, package: Path, handler: str) -> Talk:
        """A sandbox with a package of the runtime `wasm`."""
        talk = Talk(await self.factory.start(SandboxSpec(artifacts.NAME, package)), "/var/task")
        self._open.append(talk)
        await talk.send(
            frames.INIT,
            {
                "handler": handler,
                "environment": {"_HANDLER": "app.wasm", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"},
                "task_root": talk.task_root,
            },
        )
        frame = await talk.receive()
        if frame.kind != frames.READY:
            await self.end(talk)
        assert frame.kind == frames.READY, frame
        return talk

    async def sibling(self) -> Talk:
        """The function of somebody else, with something to hide, for as long as there is this cell."""
        if self._sibling is None:
            self._sibling = await self.fresh(environment={"SECRET": SECRET})
        return self._sibling

    async def attempt(self, attempt: str, **given: Any) -> Any:
        """What came of an attempt in the sandbox that attempts share; see `code/attempts.py`."""
        if self._talk is None or self._left == 0:
            if self._talk is not None:
                await self.end(self._talk)
            self._talk, self._left = await self.fresh(), ATTEMPTS if self.level in {"namespace", "container"} else -1
        self._left -= 1
        try:
            return await make(self._talk, attempt, **given)
        except (ConnectionError, Raised):
            self._left = 0
            raise

    async def assert_sibling_is_well(self) -> None:
        sibling = await self.sibling()
        assert await make(sibling, "own_variable", name="SECRET") == SECRET

    async def end(self, talk: Talk) -> Exit:
        self._open.remove(talk)
        return await talk.close()

    async def close(self) -> None:
        for talk in list(self._open):
            await self.end(talk)


async def make(talk: Talk, attempt: str, **given: Any) -> Any:
    """Have one attempt made in a sandbox; what it answers."""
    frame = await talk.invoke({"attempt": attempt, "with": given})
    if frame.kind != frames.RESULT:
        raise Raised(json.loads(frame.payload))
    return json.loads(frame.payload)


async def end_of(talk: Talk, attempt: str, **given: Any) -> Exit:
    """How a sandbox ends by an attempt that does not answer."""
    await talk.send_invoke({"attempt": attempt, "with": given})
    how = await talk.sandbox.exited()
    with contextlib.suppress(ConnectionError, OSError):
        talk.output()
    return how


def number_of(call: str) -> int:
    """A system call's number on this machine."""
    number: int = seccomp.load_library().seccomp_syscall_resolve_name(call.encode())
    return number
