"""The server's end of one nest: what its shared template is asked to load, and what it answers. Used by `namespace`.

The template is hostile: its answers are frames with the usual limits, its figures are checked, and it has a time to
answer in. The agent is not involved.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from mayfly.sandbox import frames, use
from mayfly.sandbox.api import (
    Prepared,
    TemplateEndedError,
    TemplateInitError,
    TemplateRefusedError,
    TemplateTimeoutError,
)
from mayfly.sandbox.denials import Listener

# Imports, or init, of a function may take this long; AWS gives init ahead of calls as much.
PREPARE_S = 130.0
_MOST_ANSWER = 1 << 20
_MOST_REASONS, _LONGEST_REASON = 20, 300
_MOST_PRINTED = 64 << 10  # characters, as in `ahead`


class Nest:
    """One nest that the agent was asked for."""

    def __init__(self, name: str, report: socket.socket, owner: str) -> None:
        self.id = name
        self.owner = owner  # see `SandboxSpec.owner`
        self.listener: Listener | None = None  # of denials, for as long as the nest can be forked from
        self.made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.over = False  # nothing can be forked from it any more
        self._report = report
        self._endpoint: socket.socket | None = None
        self._use = -1

    def nested(self, endpoint: int, memory: int) -> None:
        """Told by the agent's client: its shared template is there. `memory` is what `use` reads from."""
        self._endpoint, self._use = socket.socket(fileno=endpoint), memory
        if not self.made.done():
            self.made.set_result(None)

    def lost(self, why: str) -> None:
        """Told by the agent's client: nothing can be forked from it."""
        self.over = True
        if not self.made.done():
            self.made.set_exception(TemplateEndedError(why))

    async def prepare(
        self, asked: Mapping[str, Any], serve: Callable[[socket.socket], Callable[[], None]] | None
    ) -> Prepared:
        """Have it load; `TemplateRefusedError`, `TemplateInitError`."""
        endpoint, self._endpoint = self._endpoint, None
        stop: Callable[[], None] | None = None
        try:
            if serve is not None and endpoint is not None:
                stop, endpoint = serve(endpoint), None
            async with asyncio.timeout(PREPARE_S):
                return _understand(await self._converse(dict(asked)))
        except TimeoutError:
            raise TemplateTimeoutError(PREPARE_S) from None
        except (OSError, frames.FrameError) as error:
            raise TemplateEndedError(f"it ended while it loaded: {error}", printed="") from error
        finally:
            if stop is not None:
                stop()
            if endpoint is not None:
                endpoint.close()
            self._report.close()

    async def _converse(self, asked: dict[str, Any]) -> frames.Frame:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._report, frames.encode(frames.PREPARE, asked))
        decoder = frames.Decoder()
        while data := await loop.sock_recv(self._report, 1 << 16):
            for frame in decoder.feed(data):
                return frame
            if decoder.buffered > _MOST_ANSWER:
                raise frames.FrameError("the answer is too long")
        raise ConnectionError("no answer came")

    @property
    def memory_bytes(self) -> int:
        """What its shared template uses; 0 when it is gone."""
        with contextlib.suppress(OSError):
            return use.read(self._use)
        return 0

    def close(self) -> None:
        """Give back what is open here. Idempotent."""
        self.over = True
        if self._use >= 0:
            os.close(self._use)
            self._use = -1
        self._report.close()
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None
        if self.listener is not None:
            self.listener.close()
        if not self.made.done():
            self.made.cancel()


def _understand(frame: frames.Frame) -> Prepared:
    printed = str(frame.meta.get("printed", ""))[:_MOST_PRINTED]
    if frame.kind == frames.PREPARED:
        modules, took_ms = frame.meta.get("modules"), frame.meta.get("took_ms")
        if isinstance(modules, int) and isinstance(took_ms, int | float):
            return Prepared(modules, float(took_ms), printed)
    elif frame.kind == frames.INIT_ERROR:
        raise TemplateInitError(frame.payload, printed)
    elif frame.kind == frames.REFUSED:
        reasons = frame.meta.get("reasons")
        if isinstance(reasons, list) and reasons:
            shown = [str(reason)[:_LONGEST_REASON] for reason in reasons[:_MOST_REASONS]]
            raise TemplateRefusedError(*shown, printed=printed)
    raise TemplateRefusedError("its answer makes no sense")
