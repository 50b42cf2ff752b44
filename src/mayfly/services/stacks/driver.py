"""The tasks that carry operations on stacks out, one a stack; what a restart finds unfinished is gone on with."""

import asyncio
import logging

from mayfly.clock import Clock
from mayfly.services.ports import Operations
from mayfly.services.stacks import statements
from mayfly.services.stacks.board import Board
from mayfly.services.stacks.planner import Types
from mayfly.services.stacks.resources.base import Around
from mayfly.services.stacks.running import Run
from mayfly.services.stacks.sealing import Reader, Store
from mayfly.services.stacks.telling import Telling
from mayfly.store.api import StoreClosedError

_PAUSE_S, _PAUSE_LIMIT_S = 1.0, 60.0  # after a failure of the platform itself
_log = logging.getLogger(__name__)


class Driver:
    """Owns the tasks of running operations."""

    def __init__(self, store: Store, clock: Clock, types: Types, operations: Operations, telling: Telling) -> None:
        self.telling = telling
        self._around: Around | None = None
        self._store = store
        self._clock = clock
        self._types = types
        self._operations = operations
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    def surround(self, around: Around) -> None:
        """Say what types need besides operations: nested stacks among it, which need this."""
        self._around = around

    async def start(self) -> None:
        """Go on with the operations that the last process left unfinished."""

        def unfinished(reader: Reader) -> list[str]:
            return [stack_id for (stack_id,) in reader.all(statements.STACKS_UNFINISHED)]

        left = await self._store.read(unfinished)
        if left:
            await asyncio.to_thread(len, self._types)  # which imports them
        for stack_id in left:
            self.launch(stack_id)

    def launch(self, stack_id: str) -> None:
        """Work on the operation of a stack, in the background. Nothing happens if that is going on already."""
        if self._stopping or stack_id in self._tasks:
            return
        task = asyncio.get_running_loop().create_task(self._run(stack_id), name=f"stack {stack_id}")
        self._tasks[stack_id] = task
        task.add_done_callback(lambda done: self._ended(stack_id, done))

    def _ended(self, stack_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(stack_id) is task:
            del self._tasks[stack_id]

    async def settled(self, stack_id: str) -> None:
        """Return when no operation of the stack is being worked on."""
        task = self._tasks.get(stack_id)
        if task is not None:
            await asyncio.wait([task])

    async def interrupt(self, stack_id: str) -> None:
        """Put the work on one stack down where it is, as a crash would; `launch` goes on with it."""
        task = self._tasks.get(stack_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            self._tasks.pop(stack_id, None)

    async def stop(self) -> None:
        """Put the work down where it is; a later start goes on with it."""
        self._stopping = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, stack_id: str) -> None:
        pause_s = _PAUSE_S
        while not await self._finished(stack_id):
            _log.error("the operation on %s goes on in %g s", stack_id, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_LIMIT_S)

    async def _finished(self, stack_id: str) -> bool:
        """Work on an operation; False if the platform failed and it has to be gone on with."""
        finished = True
        try:
            await self._finish(stack_id)
        except* StoreClosedError:
            pass  # the server is going down; the operation is still on the disk
        except* Exception:  # the boundary of the task
            _log.exception("the operation on %s was put down", stack_id)
            finished = False
        return finished

    async def _finish(self, stack_id: str) -> None:
        board = await Board.open(self._store, self._clock, self.telling, stack_id)
        while board.stack.operation is not None:
            run = Run(board, self._types, self._operations, self._around)
            if run.held:
                return  # until the stack around this one says so
            await run.phase()
