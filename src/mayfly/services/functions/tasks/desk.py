"""What may be asked of tasks: submit, look, stop, run again, report progress. Called by the pages of `app`."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from mayfly.clock import Clock
from mayfly.engine.api import Engine
from mayfly.policy.shares import LEAST_WEIGHT, MOST_WEIGHT
from mayfly.services.contract import Principal
from mayfly.services.functions.asynchronous import EventQueue
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.tasks import statements as sql
from mayfly.services.functions.tasks.dispatcher import Dispatcher
from mayfly.services.functions.tasks.errors import NotItsFunctionError, TaskRefusedError, TaskStateError
from mayfly.services.functions.tasks.lanes import Lanes
from mayfly.services.functions.tasks.model import MAX_TENANT, PROGRESS_BYTES, State
from mayfly.services.functions.tasks.submitting import Submitting
from mayfly.services.functions.tasks.views import Views
from mayfly.services.ports import Vault
from mayfly.store.api import Reader, ReadyQueue, Row, Store, Tx

STOP_S = 10.0  # how long one waits for a call that is ended to be over
_LOOK_EVERY_S = 0.02
_TOGETHER = 200
_ROUNDS = 5
_decode = msgspec.msgpack.Decoder(AsyncEvent).decode


class Progress(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How far a task is, in its function's words."""

    done: float | None = None
    total: float | None = None
    message: str | None = None


class TaskDesk:
    """See the module. `views` and `submitting` are asked directly."""

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        events: EventQueue,
        lanes: Lanes,
        dispatcher: Dispatcher,
        engine: Engine,
        catalog: Catalog,
        submitting: Submitting,
        clock: Clock,
        vault: Vault,
    ) -> None:
        self._store = store
        self._queue = queue
        self._events = events
        self._lanes = lanes
        self._dispatcher = dispatcher
        self._engine = engine
        self._catalog = catalog
        self._clock = clock
        self.submitting = submitting
        self.views = Views(store, dispatcher.held, vault)

    async def open(self) -> None:
        """Before the dispatcher runs."""
        self._lanes.weigh(dict(await self._store.read(_shares)))

    # Stopping.

    async def stop(self, task_id: str) -> dict[str, Any]:
        """Cancel what waits, end what runs; the task, as it is then. `TaskMissingError`, `TaskStateError`."""
        until = self._clock.monotonic() + STOP_S
        while True:
            task = await self.views.task(task_id)
            if task.state != State.QUEUED:
                raise TaskStateError(f"the task {task_id} is over: it {_SAID[State(task.state)]}")
            if not self._dispatcher.stop(task.item):
                if await self._dispatcher.end([task.item], stopped=True):
                    return await self.views.one(task_id)
            elif self._engine.stop(task_id):
                await self._dispatcher.over(task.item, STOP_S)
                return await self.views.one(task_id)
            if self._clock.monotonic() >= until:
                raise TaskStateError(f"the task {task_id} could not be stopped within {STOP_S:.0f} seconds")
            await asyncio.sleep(_LOOK_EVERY_S)  # it begins, ends or waits for an instance just now

    async def stop_all(self, *, function: str | None = None, batch: str | None = None) -> dict[str, int]:
        """Cancel all that waits, and end all that runs, of a function or a batch; how many. What comes to wait again
        meanwhile is met on another round."""
        waited = ran = 0
        for _ in range(_ROUNDS):
            cancelled, ended = await self._stop_round(function, batch)
            waited, ran = waited + cancelled, ran + ended
            if not cancelled and not ended:
                break
        return {"cancelled": waited, "stopping": ran}

    async def _stop_round(self, function: str | None, batch: str | None) -> tuple[int, int]:
        """First what waits, so that nothing more of it begins, then what this process holds."""
        waited = ran = after = 0
        held: list[int] = []
        while items := await self._items(function, batch, State.QUEUED, after):
            after = items[-1]
            free = [item for item in items if item not in self._dispatcher.held]
            held += [item for item in items if item in self._dispatcher.held]
            waited += len(await self._dispatcher.end(free, stopped=True)) if free else 0
        for item in held:
            one = self._dispatcher.held.get(item)
            if one is not None and not one.stopped:
                self._dispatcher.stop(item)
                ran += 1
                if one.event is not None:
                    self._engine.stop(one.event.request_id)
        return waited, ran

    # Running again.

    async def redrive(self, task_id: str) -> dict[str, Any]:
        """Queue a task again that did not succeed. `TaskMissingError`, `TaskStateError`."""
        task = await self.views.task(task_id)
        if task.state == State.QUEUED:
            raise TaskStateError(f"the task {task_id} is not over yet")
        if not await self._store.write(lambda tx: self._again(tx, [task.item])):
            raise TaskStateError(f"the event of the task {task_id}, which {_SAID[State(task.state)]}, is not kept")
        return await self.views.one(task_id)

    async def redrive_all(self, function: str, states: Sequence[State]) -> dict[str, int]:
        """The same for all of a function's in these states; how many."""
        count = 0
        for state in states:
            after = 0
            while items := await self._items(function, None, state, after):
                after = items[-1]
                count += await self._store.write(partial(self._again, items=items))
        return {"queued": count}

    def _again(self, tx: Tx, items: Sequence[int]) -> int:
        now, count = self._clock.now(), 0
        for item in items:
            dead = self._queue.exhume(tx, item)
            if dead is None:
                continue
            event = _decode(dead.payload)
            event = msgspec.structs.replace(event, accepted_at=now, deadline=None, failures=0, again=event.again + 1)
            (new,) = self._events.enqueue(tx, [event])
            tx.run(sql.AGAIN, {"item": item, "new": new, "accepted_at": now})
            count += 1
        return count

    async def _items(self, function: str | None, batch: str | None, state: State, after: int) -> list[int]:
        statement = sql.ITEMS_OF_FUNCTION if batch is None else sql.ITEMS_OF_BATCH
        whose = {"name": function} if batch is None else {"batch": batch}
        params = {"state": int(state), "after": after, "count": _TOGETHER, **whose}
        return [row[0] for row in await self._store.read(lambda reader: reader.all(statement, params))]

    # Progress.

    async def progress(self, task_id: str, body: bytes, who: Principal) -> None:
        """Keep what the function says of a task that runs. `TaskMissingError`, `TaskStateError`,
        `TaskRefusedError`, `NotItsFunctionError`."""
        if len(body) > PROGRESS_BYTES:
            raise TaskRefusedError(f"progress is at most {PROGRESS_BYTES} bytes")
        try:
            said = msgspec.json.encode(msgspec.json.decode(body, type=Progress))
        except msgspec.DecodeError as error:
            raise TaskRefusedError(f'progress is {{"done": 3, "total": 10, "message": "…"}}: {error}') from error
        task = await self.views.task(task_id)
        if who.kind != "root":
            entry = await self._catalog.get(task.name, task.qualifier)
            role = entry.function.configuration.role.rpartition("/")[2]
            if not (who.kind == "assumed-role" and who.arn.endswith(f":assumed-role/{role}/{task.name}")):
                raise NotItsFunctionError(f"only {task.name} itself, or the account, may report of {task_id}")
        changed = await self._store.write(lambda tx: tx.run(sql.PROGRESS, {"item": task.item, "progress": said}))
        if not changed:
            raise TaskStateError(f"the task {task_id} is over")

    # Shares.

    async def shares(self) -> dict[str, float]:
        """Tenants whose weight is not 1."""
        return dict(await self._store.read(_shares))

    async def share(self, tenant: str, weight: float) -> None:
        """Have a tenant weigh so much from now on. `TaskRefusedError`."""
        if not 0 < len(tenant) <= MAX_TENANT:
            raise TaskRefusedError(f"a tenant has 1 to {MAX_TENANT} characters")
        if not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
            raise TaskRefusedError(f"a weight lies between {LEAST_WEIGHT} and {MOST_WEIGHT}, not at {weight}")

        def body(tx: Tx) -> list[Row]:
            if weight == 1.0:
                tx.run(sql.UNSET_SHARE, {"tenant": tenant})
            else:
                tx.run(sql.SET_SHARE, {"tenant": tenant, "weight": weight})
            return _shares(tx)

        self._lanes.weigh(dict(await self._store.write(body)))


_SAID = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CANCELLED: "was cancelled",
    State.EXPIRED: "expired",
}


def _shares(reader: Reader) -> list[Row]:
    return reader.all(sql.SHARES)
