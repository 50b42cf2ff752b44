"""What the server holds of a running sandbox: its end of the control socket, the output pipe, the endpoint within.

Opened once the sandbox runs and closed when it is gone; in between `instance` speaks and listens through it.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

from mayfly.engine.api import Call, EndpointServer, Target
from mayfly.engine.channel import Channel
from mayfly.engine.output import OutputPipe
from mayfly.sandbox import frames
from mayfly.sandbox.api import Sandbox


class Ends:
    """The open ends of one sandbox."""

    def __init__(self, sandbox: Sandbox, channel: Channel, output: OutputPipe) -> None:
        """Use `open`."""
        self.sandbox = sandbox
        self.output = output
        self._channel = channel
        self._stop_endpoint: Callable[[], None] | None = None

    @classmethod
    async def open(cls, sandbox: Sandbox, channel: Channel, on_lines: Callable[[list[str]], None]) -> "Ends":
        """Take over what `sandbox.api` says the caller owns. Closes it again when that fails."""
        loop = asyncio.get_running_loop()
        output = OutputPipe(loop, sandbox.output, on_lines)
        try:
            await loop.create_unix_connection(lambda: channel, sock=sandbox.control)
        except BaseException:
            sandbox.control.close()
            output.close()
            if sandbox.endpoint is not None:
                sandbox.endpoint.close()
            raise
        return cls(sandbox, channel, output)

    def serve_endpoint(self, serve: EndpointServer | None, target: Target, instance: str) -> None:
        """Have the sandbox's endpoint served, if it has one and there is somebody to serve it."""
        if self.sandbox.endpoint is not None and serve is not None:
            self._stop_endpoint = serve(target, instance, self.sandbox.endpoint)

    def send_init(self, target: Target, environment: dict[str, str], task_root: str) -> None:
        meta: dict[str, Any] = {"handler": target.handler, "environment": environment, "task_root": task_root}
        if target.concurrency > 1:
            meta["concurrency"] = target.concurrency
        self._channel.send(frames.encode(frames.INIT, meta))

    def send_invoke(self, number: int, call: Call, deadline_ms: int, *, soon: bool, ahead: bool = False) -> None:
        """`soon`: with others that are sent in this turn of the loop. `ahead`: behind a call that runs; see frames."""
        head = frames.call_head(
            call.request_id,
            deadline_ms,
            call.arn,
            call.trace_id or "",
            call.client_context or "",
            call.identity or "",
        )
        frame = frames.encode_call(number, head, call.payload, frames.AHEAD if ahead else 0)
        if soon:
            self._channel.send_soon(frame)
        else:
            self._channel.send(frame)

    def sent_ahead(self, *, waiting: bool) -> None:
        """Whether calls wait that were sent ahead."""
        self.output.heard = self._channel.heard if waiting else None

    def send_continue(self) -> None:
        self._channel.send(frames.encode(frames.CONTINUE))

    def send_more(self, number: int, taken: int) -> None:
        """Parts of a call's result were taken."""
        self._channel.send(frames.encode(frames.MORE, {"bytes": taken}, b"", number))

    def send_cancel(self, number: int) -> None:
        self._channel.send(frames.encode(frames.CANCEL, None, b"", number))

    def pause(self) -> None:
        """Leave the reading of both ends to somebody else, until `resume`."""
        self._channel.pause()
        self.output.pause()

    def resume(self) -> None:
        self._channel.resume()
        self.output.resume()

    async def lost(self, at_most_s: float) -> None:
        """Return when the runtime's last frame was read and its end of the socket is closed, or after `at_most_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._channel.lost.wait()

    def close(self) -> None:
        """Report the output that is still there and give everything back."""
        self._channel.close()
        if self._stop_endpoint is not None:
            self._stop_endpoint()
        elif self.sandbox.endpoint is not None:
            self.sandbox.endpoint.close()
        self.output.drain()
        self.output.close()


async def give_back(sandbox: Sandbox) -> None:
    """Discard a sandbox of which nothing was taken over yet."""
    sandbox.control.close()
    os.close(sandbox.output)
    if sandbox.endpoint is not None:
        sandbox.endpoint.close()
    await sandbox.discard()
