"""A conversation with the runtime in a sandbox, as the engine would have it."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit, Sandbox, SandboxFactory, SandboxSpec

CODE = Path(__file__).parent / "code"
RUNTIME = "python3.x"
PATIENCE_S = 30.0


class Raised(Exception):  # noqa: N818 (it is what the function did, not an error of the test)
    """The function failed; carries the runtime's error object."""

    def __init__(self, failure: dict[str, Any]) -> None:
        super().__init__(f"{failure['errorType']}: {failure['errorMessage']}")
        self.failure = failure


class Talk:
    """One sandbox and its frames."""

    def __init__(self, sandbox: Sandbox, task_root: str) -> None:
        self.sandbox = sandbox
        self.task_root = task_root
        self._decoder = frames.Decoder()
        self._frames: list[frames.Frame] = []
        self.printed = b""

    async def send(self, kind: int, meta: dict[str, Any], payload: bytes = b"") -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.sandbox.control, frames.encode(kind, meta, payload))

    async def receive(self) -> frames.Frame:
        """The next frame; ConnectionError when the sandbox ends first."""
        loop = asyncio.get_running_loop()
        while not self._frames:
            self._drain()
            async with asyncio.timeout(PATIENCE_S):
                data = await loop.sock_recv(self.sandbox.control, 1 << 16)
            if not data:
                raise ConnectionError("the sandbox ended")
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    async def init(self, handler: str = "lab.run", environment: Mapping[str, str] | None = None) -> frames.Frame:
        meta = {"handler": handler, "environment": dict(environment or {}), "task_root": self.task_root}
        await self.send(frames.INIT, meta)
        return await self.receive()

    async def invoke(self, event: Any, **meta: Any) -> frames.Frame:
        await self.send_invoke(event, **meta)
        return await self.receive()

    async def send_invoke(self, event: Any, number: int = 1, flags: int = 0, **meta: Any) -> None:
        given = {"request_id": "request-1", "deadline_ms": int(time.time() * 1000) + 30_000, "arn": "arn:f", **meta}
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        frame = frames.encode_call(number, frames.call_head(**given), payload, flags)
        await asyncio.get_running_loop().sock_sendall(self.sandbox.control, frame)

    async def send_cancel(self, number: int) -> None:
        frame = frames.encode(frames.CANCEL, None, b"", number)
        await asyncio.get_running_loop().sock_sendall(self.sandbox.control, frame)

    async def run(self, code: str, **more: Any) -> Any:
        """Execute `code` in the function `lab.run` and return what it assigned to `result`."""
        frame = await self.invoke({"code": code, **more})
        if frame.kind != frames.RESULT:
            raise Raised(json.loads(frame.payload))
        return json.loads(frame.payload)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.sandbox.output, 1 << 16):
                self.printed += data

    def output(self) -> str:
        """Everything that was printed so far."""
        self._drain()
        return self.printed.decode()

    async def close(self) -> Exit:
        how = await self.sandbox.discard()
        self._drain()
        self.sandbox.control.close()
        os.close(self.sandbox.output)
        for listener in (self.sandbox.endpoint, self.sandbox.runtime_api):
            if listener is not None:
                listener.close()
        return how


class Talks:
    """Starts sandboxes, and discards all of them at the end."""

    def __init__(self, factory: SandboxFactory) -> None:
        self.factory = factory
        self._open: list[Talk] = []

    async def start(self, code: Path = CODE, **spec: Any) -> Talk:
        """A sandbox that waits for INIT."""
        sandbox = await self.factory.start(SandboxSpec(spec.pop("runtime", RUNTIME), code, **spec))
        talk = Talk(sandbox, str(code) if self.factory.level == "process" else "/var/task")
        self._open.append(talk)
        return talk

    async def ready(self, code: Path = CODE, **spec: Any) -> Talk:
        """A sandbox with the function `lab.run` ready in it."""
        talk = await self.start(code, **spec)
        frame = await talk.init()
        assert frame.kind == frames.READY, frame
        return talk

    async def close(self) -> None:
        for talk in self._open:
            with contextlib.suppress(OSError):
                await talk.close()
