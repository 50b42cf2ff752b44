"""Makes images ready, and tells the functions that wait for them: from pending to active or failed, and from one code
to the next.

A function waits as long as its row says so, so that the next server takes up what one that died had begun. What may be
better soon (a registry that does not answer, a full disk) is tried again before the function is told.
"""

import asyncio
import logging

import msgspec

from mayfly.services.contract import ServiceError
from mayfly.services.functions import repository
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.image_code import ImageSource, Refusal, ready_or_refused
from mayfly.services.functions.model import Code, Function, Update
from mayfly.store.api import Store, StoreClosedError, Tx

_PAUSE_S = 8.0
_AT_ONCE = 8  # most of them wait for the same few children and registries

_log = logging.getLogger(__name__)


def settled(function: Function, awaited: Code, ready: Code | Refusal) -> Function:
    """The function once `awaited` is ready, or cannot be; itself when it waits for something else by now."""
    if function.awaited is None or not function.awaited.same(awaited):
        return function
    if isinstance(ready, Refusal):
        if function.state == "Pending":
            return msgspec.structs.replace(
                function, state="Failed", state_reason=ready.reason, state_reason_code=ready.code
            )
        failed = Update(awaited, failed=True, reason=ready.reason, reason_code=ready.code)
        return msgspec.structs.replace(function, update=failed)
    return msgspec.structs.replace(
        function, code=ready, update=None, state="Active", state_reason=None, state_reason_code=None
    )


class Settler:
    """Sees functions that wait for an image to their end: `run`."""

    def __init__(self, store: Store, editor: Editor, images: ImageSource) -> None:
        self._store = store
        self._editor = editor
        self._images = images
        self._waiting: asyncio.Queue[str] = asyncio.Queue()

    def expect(self, name: str) -> None:
        """A function waits for an image, as its row says."""
        self._waiting.put_nowait(name)

    async def run(self) -> None:
        """See to them, as long as the service lives."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(_AT_ONCE):
                workers.create_task(self._work())
            for name in await self._store.read(repository.waiting):
                self._waiting.put_nowait(name)

    async def _work(self) -> None:
        """The boundary around one function after the other."""
        while True:
            name = await self._waiting.get()
            try:
                await self._settle(name)
            except StoreClosedError:
                return
            except Exception:
                _log.exception("the image of %s cannot be made ready now; the next attempt follows", name)
                await asyncio.sleep(_PAUSE_S)
                self._waiting.put_nowait(name)

    async def _settle(self, name: str) -> None:
        function = await self._store.read(lambda reader: repository.find(reader, name))
        if function is None or function.awaited is None:
            return
        awaited = function.awaited
        ready = await ready_or_refused(self._images, awaited)
        if isinstance(ready, Refusal):
            _log.info("the image of %s cannot be used: %s", name, ready.reason)

        def change(current: Function, tx: Tx) -> Function:
            return settled(current, awaited, ready)

        try:
            await self._editor.change(name, change)
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":  # it was deleted meanwhile
                raise
