"""What the server holds of a running sandbox: its end of the conversation, the output pipe, the endpoint within.

Opened once the sandbox runs and closed when it is gone; in between `instance` speaks and listens through it.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable

from mayfly.engine.api import Call, EndpointServer, Target
from mayfly.engine.conversation import Conversation
from mayfly.engine.output import OutputPipe
from mayfly.engine.streamed import Streamed
from mayfly.sandbox.api import Sandbox


class Ends:
    """The open ends of one sandbox."""

    def __init__(self, sandbox: Sandbox, conversation: Conversation, output: OutputPipe) -> None:
        """Use `open`."""
        self.sandbox = sandbox
        self.output = output
        self._conversation = conversation
        self._stop_endpoint: Callable[[], None] | None = None

    @classmethod
    async def open(cls, sandbox: Sandbox, conversation: Conversation, on_lines: Callable[[list[str]], None]) -> "Ends":
        """Take over what `sandbox.api` says the caller owns. Closes it again when that fails. Nothing is read from the
        output pipe until `listen`."""
        output = OutputPipe(asyncio.get_running_loop(), sandbox.output, conversation.tap(on_lines))
        try:
            await conversation.open(sandbox)
        except BaseException:
            output.close()
            if sandbox.endpoint is not None:
                sandbox.endpoint.close()
            raise
        return cls(sandbox, conversation, output)

    def serve_endpoint(self, serve: EndpointServer | None, target: Target, instance: str) -> None:
        """Have the sandbox's endpoint served, if it has one and there is somebody to serve it."""
        if self.sandbox.endpoint is not None and serve is not None:
            self._stop_endpoint = serve(target, instance, self.sandbox.endpoint)

    def listen(self) -> None:
        """Read what is printed as it comes."""
        self.output.resume()

    def send_init(self, target: Target, environment: dict[str, str], task_root: str) -> None:
        self._conversation.init(target, environment, task_root)

    def send_invoke(
        self,
        number: int,
        call: Call,
        deadline_ms: int,
        *,
        soon: bool,
        ahead: bool = False,
        into: Streamed | None = None,
    ) -> None:
        """`soon`: with others that are sent in this turn of the loop. `ahead`: behind a call that runs; see frames.
        `into`: who reads the result as it comes."""
        self._conversation.invoke(number, call, deadline_ms, soon=soon, ahead=ahead, into=into)

    def heard(self) -> bool:
        """Whether everything has been read that the runtime has said until now."""
        return self._conversation.heard()

    def sent_ahead(self, *, waiting: bool) -> None:
        """Whether calls wait that were sent ahead."""
        self.output.heard = self._conversation.heard if waiting else None

    def send_continue(self) -> None:
        self._conversation.proceed()

    def send_more(self, number: int, taken: int) -> None:
        """Parts of a call's result were taken."""
        self._conversation.more(number, taken)

    def send_cancel(self, number: int) -> None:
        self._conversation.cancel(number)

    def send_share(self, number: int, end: int) -> bool:
        """Pass a socket over which others send calls; False when that cannot be done now."""
        return self._conversation.share(number, end)

    def pause(self) -> None:
        """Leave the reading of both ends to somebody else, until `resume`."""
        self._conversation.pause()
        self.output.pause()

    def resume(self) -> None:
        self._conversation.resume()
        self.output.resume()

    def farewell(self, end: str, over: Callable[[], None]) -> bool:
        """See `Conversation.farewell`; nothing is frozen meanwhile."""
        if not self._conversation.farewell(end, over):
            return False
        self.sandbox.thaw()
        return True

    async def lost(self, at_most_s: float) -> None:
        """Return when the runtime's last frame was read and its end of the socket is closed, or after `at_most_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._conversation.lost()

    def close(self) -> None:
        """Report the output that is still there and give everything back."""
        self._conversation.close()
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
    for listener in (sandbox.endpoint, sandbox.runtime_api):
        if listener is not None:
            listener.close()
    await sandbox.discard()
