"""What the server says to the other side of one instance, and hears from there, whatever language that speaks.

`Ends` holds a conversation for `Instance`. What the other side says arrives as the frames that a managed runtime would
send (`sandbox.frames`: READY, INIT_ERROR, RESULT, ERROR, OUTPUT, and ENDED for a program), so that an instance need not
know with whom it speaks. Two kinds, of which `contracts` chooses: `Frames`, over the control socket, and
`program.Program`, where a launcher starts executables that come to the Runtime API by themselves.

A conversation decides nothing about calls. It keeps the order of what was said, and says nothing after `on_lost`.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Protocol

from mayfly.engine.api import Call, Target
from mayfly.engine.channel import Channel
from mayfly.engine.streamed import Streamed
from mayfly.sandbox import frames
from mayfly.sandbox.api import Sandbox

OnFrame = Callable[[frames.Frame], None]
OnLost = Callable[[frames.FrameError | None], None]


class Conversation(Protocol):
    """Made with whom to tell: `on_frame` for each frame, and `on_lost` once, behind the last one."""

    async def open(self, sandbox: Sandbox) -> None:
        """Take over the sandbox's `control` and `runtime_api`; closed again when this fails."""

    def init(self, target: Target, environment: dict[str, str], task_root: str) -> None:
        """Have the code loaded; answered by READY or INIT_ERROR."""

    def invoke(
        self, number: int, call: Call, deadline_ms: int, *, soon: bool, ahead: bool, into: Streamed | None = None
    ) -> None:
        """Have it called; answered by RESULT or ERROR, and by parts before. See `Ends.send_invoke`."""

    def proceed(self) -> None:
        """See `frames.CONTINUE`."""

    def more(self, number: int, taken: int) -> None:
        """See `frames.MORE`."""

    def cancel(self, number: int) -> None:
        """See `frames.CANCEL`."""

    def share(self, number: int, end: int) -> bool:
        """See `frames.SHARE`. False where it cannot be said, or not now."""

    def heard(self) -> bool:
        """Whether everything has been read that the other side has sent until now."""

    def pause(self) -> None:
        """Read nothing more until `resume`: somebody else speaks with it. Only of a kind that can be lent."""

    def resume(self) -> None: ...

    def tap(self, on_lines: Callable[[list[str]], None]) -> Callable[[list[str]], None]:
        """What to call instead of `on_lines` with what comes by the output pipe."""

    def farewell(self, end: str, over: Callable[[], None]) -> bool:
        """The instance ends, for the reason `end`: False when nobody need know, so that it can be killed at once. Else
        `over` is called when it may be, once, within seconds."""

    async def lost(self) -> None:
        """Return when `on_lost` was called."""

    def close(self) -> None:
        """Drop it, whatever is still unsent. Idempotent."""


def init_frame(target: Target, environment: dict[str, str], task_root: str) -> bytes:
    """What a managed runtime hears first."""
    meta: dict[str, Any] = {"handler": target.handler, "environment": environment, "task_root": task_root}
    if target.sandbox.layers:
        meta["layers"] = "-".join(tree.name for tree in target.sandbox.layers)
    if target.concurrency > 1:
        meta["concurrency"] = target.concurrency
    return frames.encode(frames.INIT, meta)


def call_frame(number: int, call: Call, deadline_ms: int, *, ahead: bool = False) -> bytes:
    """What a managed runtime hears of a call. `deadline_ms`: see `frames.AHEAD`."""
    head = frames.call_head(
        call.request_id,
        deadline_ms,
        call.arn,
        call.trace_id or "",
        call.client_context or "",
        call.identity or "",
        call.tenant or "",
    )
    return frames.encode_call(number, head, call.payload, frames.AHEAD if ahead else 0)


async def open_channel(channel: Channel, control: socket.socket) -> None:
    """Have `channel` speak over a control socket, which is closed when that fails."""
    try:
        await asyncio.get_running_loop().create_unix_connection(lambda: channel, sock=control)
    except BaseException:
        control.close()
        raise


class Frames:
    """With a managed runtime."""

    def __init__(self, on_frame: OnFrame, on_lost: OnLost) -> None:
        self._channel = Channel(on_frame, on_lost)
        self.heard = self._channel.heard
        self.pause = self._channel.pause
        self.resume = self._channel.resume
        self.close = self._channel.close

    async def open(self, sandbox: Sandbox) -> None:
        await self.over(sandbox.control)

    async def over(self, control: socket.socket) -> None:
        """Speak over a socket that leads to the runtime; closed when this fails."""
        await open_channel(self._channel, control)

    def init(self, target: Target, environment: dict[str, str], task_root: str) -> None:
        self._channel.send(init_frame(target, environment, task_root))

    def invoke(
        self, number: int, call: Call, deadline_ms: int, *, soon: bool, ahead: bool, into: Streamed | None = None
    ) -> None:
        frame = call_frame(number, call, deadline_ms, ahead=ahead)
        if soon:
            self._channel.send_soon(frame)
        else:
            self._channel.send(frame)

    def proceed(self) -> None:
        self._channel.send(frames.encode(frames.CONTINUE))

    def more(self, number: int, taken: int) -> None:
        self._channel.send(frames.encode(frames.MORE, {"bytes": taken}, b"", number))

    def cancel(self, number: int) -> None:
        self._channel.send(frames.encode(frames.CANCEL, None, b"", number))

    def share(self, number: int, end: int) -> bool:
        return self._channel.send_with(frames.encode(frames.SHARE, None, b"", number), end)

    def tap(self, on_lines: Callable[[list[str]], None]) -> Callable[[list[str]], None]:
        return on_lines

    def farewell(self, end: str, over: Callable[[], None]) -> bool:
        return False

    async def lost(self) -> None:
        await self._channel.lost.wait()
