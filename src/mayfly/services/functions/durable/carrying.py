"""What an item of the ready queue has done: an invocation of an execution, or a call of a function that it invokes."""

import asyncio

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.engine.api import ThrottledError
from mayfly.errors import PlatformError
from mayfly.services.contract import ServiceError
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.durable import envelope
from mayfly.services.functions.durable.chaining import ChainedCall
from mayfly.services.functions.durable.executions import QUEUE, Executions
from mayfly.services.functions.durable.invocations import Begun, Ended, Invocations
from mayfly.services.functions.durable.model import MAX_PAYLOAD, Error, OperationStatus
from mayfly.services.functions.durable.running import Lease, pause_after
from mayfly.services.functions.durable.tails import Tails
from mayfly.services.functions.invoker import Invocation, Invoker
from mayfly.services.functions.names import Home
from mayfly.services.functions.roles import RoleUnusableError
from mayfly.store.api import NewItem, ReadyQueue, StaleClaimError, Store, StoreClosedError, Tx

_call = msgspec.msgpack.Decoder(ChainedCall).decode
_LOST = (StaleClaimError, StoreClosedError)
_NOT_NOW = (ThrottledError, PlatformError, RoleUnusableError)


class Carrying:
    """Runs functions for executions."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        store: Store,
        queue: ReadyQueue,
        catalog: Catalog,
        calls: Invoker,
        executions: Executions,
        invocations: Invocations,
        tails: Tails,
    ) -> None:
        self._home = home
        self._clock = clock
        self._store = store
        self._queue = queue
        self._catalog = catalog
        self._calls = calls
        self._executions = executions
        self._invocations = invocations
        self._tails = tails

    async def waited(self, lease: Lease) -> None:
        """An invocation of an execution that somebody waits for: if that is still so, now, else in its turn."""
        if self._executions.watched(lease.claim.payload.decode()):
            return await self.execution(lease)

        def give_up_its_place(tx: Tx) -> None:
            self._queue.complete(tx, lease.claim)
            self._queue.enqueue(tx, [NewItem(QUEUE, lease.claim.payload)])

        return await self._store.write(give_up_its_place)

    async def execution(self, lease: Lease) -> None:
        """One invocation of an execution."""
        claim, execution_id = lease.claim, lease.claim.payload.decode()
        request_id = ids.request_id()
        begun = await self._store.write(lambda tx: self._invocations.begin(tx, claim, execution_id, request_id))
        if begun is None:
            return None
        try:
            invocation = await self._invoke(lease, begun)
        except ServiceError as error:
            gone = Error(error.message, error.code)
            return await self._store.write(lambda tx: self._invocations.fail(tx, lease.claim, execution_id, gone))
        except _NOT_NOW as error:
            if isinstance(error, _LOST):
                raise
            ready_at = self._clock.now() + pause_after(error, claim.attempt)
            return await self._store.write(lambda tx: self._invocations.postpone(tx, lease.claim, begun, ready_at))
        ended = Ended(begun.at, self._clock.now(), request_id, invocation.result)
        return await self._store.write(lambda tx: self._invocations.finish(tx, lease.claim, begun, ended))

    async def _invoke(self, lease: Lease, begun: Begun) -> Invocation:
        began = begun.execution.began
        entry = await self._catalog.get(began.function, began.version)
        payload = await self._store.read(lambda reader: self._invocations.payload(reader, begun))
        arn = self._home.arn(began.function, began.version)
        with self._tails.invocation(began.execution_id) as tails:
            asked = Asked(
                payload,
                begun.request_id,
                arn,
                "event",
                tail=bool(tails),
                trace_id=began.trace_id,
                tenant=began.tenant,
            )
            call = asyncio.create_task(self._calls.run(entry, asked))
            await lease.during(call)
            for tail in tails:
                tail.text = call.result().tail
        return call.result()

    async def call(self, lease: Lease) -> None:
        """One call of a function that is not durable."""
        asked_for = _call(lease.claim.payload)
        try:
            invocation = await self._run(lease, asked_for)
        except ServiceError as error:
            return await self._end(lease, asked_for, None, Error(error.message, error.code))
        except _NOT_NOW as error:
            if isinstance(error, _LOST):
                raise
            ready_at = self._clock.now() + pause_after(error, lease.claim.attempt)
            return await self._store.write(lambda tx: self._queue.retry(tx, lease.claim, ready_at))
        result = invocation.result
        if result.failed:
            return await self._end(lease, asked_for, None, envelope.function_error(result.payload))
        if len(result.payload) > MAX_PAYLOAD:
            too_large = f"CHAINED_INVOKE output payload size must be less than or equal to {MAX_PAYLOAD} bytes."
            return await self._end(lease, asked_for, None, Error(too_large))
        try:
            text = result.payload.decode()
        except UnicodeDecodeError:
            wrong = Error("CHAINED_INVOKE response could not be decoded as UTF-8.")
            return await self._end(lease, asked_for, None, wrong)
        return await self._end(lease, asked_for, text, None)

    async def _run(self, lease: Lease, asked_for: ChainedCall) -> Invocation:
        entry = await self._catalog.get(asked_for.function, asked_for.version)
        asked = Asked(
            asked_for.payload,
            asked_for.request_id,
            asked_for.function_arn,
            "event",
            trace_id=asked_for.trace_id,
            tenant=asked_for.tenant,
        )
        call = asyncio.create_task(self._calls.run(entry, asked))
        await lease.during(call)
        return call.result()

    async def _end(self, lease: Lease, of: ChainedCall, result: str | None, error: Error | None) -> None:
        def body(tx: Tx) -> None:
            self._queue.complete(tx, lease.claim)
            status: OperationStatus = "SUCCEEDED" if error is None else "FAILED"
            self._executions.complete(tx, of.parent, status, result, error)

        await self._store.write(body)
