"""Files into sandboxes and out of them, as tar files: a process inside reads or writes the tree."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from mayfly.sandboxes import trees
from mayfly.sandboxes.model import Ending, SandboxRefusedError
from mayfly.sandboxes.processes import Process, Processes


class Copier:
    """Copies, `most` at a time, in all sandboxes."""

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)

    async def put(self, processes: Processes, place: str, archive: AsyncIterator[bytes]) -> None:
        """Unpack a tar file below a directory; `SandboxRefusedError` with what went wrong inside."""
        async with self._places:
            process = await processes.copy("put", place)
            reading = asyncio.create_task(_said(process))
            try:
                async with contextlib.aclosing(trees.from_tar(archive)) as tree:
                    async for part in tree:
                        await process.write(part)
            except BrokenPipeError:
                pass  # what was inside has ended; it says why
            finally:
                process.end_input()
            _demand(await process.ended, await reading)

    async def get(self, processes: Processes, place: str) -> AsyncGenerator[bytes]:
        """A tar file of what is at a place; `SandboxRefusedError` with what went wrong inside."""
        async with self._places:
            process = await processes.copy("get", place)
            process.end_input()
            async with contextlib.aclosing(trees.into_tar(_data(process))) as archive:
                async for part in archive:
                    yield part


async def _said(process: Process) -> str:
    """What a copier says on either stream."""
    said = [part.data async for part in process.output()]
    return b"".join(said).decode("utf-8", "replace").strip()[:1000]


def _demand(ending: Ending, said: str) -> None:
    if ending.code != 0:
        raise SandboxRefusedError(said or ending.error or "the files could not be copied")


async def _data(process: Process) -> AsyncGenerator[bytes]:
    """What a copier sends."""
    async with contextlib.aclosing(process.output()) as output:
        async for part in output:
            if part.stream == "stdout":
                yield part.data
