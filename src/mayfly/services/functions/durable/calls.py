"""Who calls a durable function has an execution of it started, and waits for its end or does not. See `invoker`."""

import asyncio
from typing import Protocol

from mayfly.engine.api import EngineClosedError
from mayfly.services.contract import ServiceError
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.catalog import Entry
from mayfly.services.functions.durable import config, envelope, repository
from mayfly.services.functions.durable.executions import Executions, Starting, fresh_id
from mayfly.services.functions.durable.model import Execution, Outcome
from mayfly.services.functions.durable.tails import Tails
from mayfly.services.functions.faults import function_not_found, invalid_parameter
from mayfly.services.functions.invoker import Invocation
from mayfly.services.functions.names import Home
from mayfly.services.functions.results import Result, refused
from mayfly.store.api import Store, Tx


class Traced(Protocol):
    """The invoker, as far as an execution's trace goes."""

    def trace_of(self, entry: Entry, header: str | None) -> str: ...


class DurableCalls:
    """`invoker.Durables`."""

    def __init__(self, home: Home, store: Store, traces: Traced, executions: Executions, tails: Tails) -> None:
        self._home = home
        self._store = store
        self._traces = traces
        self._executions = executions
        self._tails = tails

    async def invoke(self, entry: Entry, asked: Asked) -> Invocation:
        """Start the execution that a call asks for, or find it; what came of it, for who waits.

        `ServiceError` when that cannot be; for events, which nobody would hear that of, a failed invocation.
        """
        try:
            return await self._invoke(entry, asked)
        except ServiceError as error:
            if asked.source != "event" or asked.durable_name is not None:
                raise
            return Invocation(refused(error), b"", entry.target.version)

    async def _invoke(self, entry: Entry, asked: Asked) -> Invocation:
        if asked.source != "url" and asked.arn == self._home.arn(entry.function.name):
            raise invalid_parameter(config.UNQUALIFIED)
        version = entry.pick().version
        execution_id = fresh_id()
        ended = asyncio.Event()
        if not asked.waits:
            execution = await self._store.write(lambda tx: self._start(tx, entry, asked, version, execution_id))
            return Invocation(Result(b"", failed=False), b"", execution.began.version, durable_arn=execution.began.arn)
        with self._tails.wanted(execution_id, really=asked.tail) as tail:
            with self._executions.watching(execution_id, ended.set):
                execution = await self._store.write(lambda tx: self._start(tx, entry, asked, version, execution_id))
                if execution.began.execution_id == execution_id and not self._executions.stopping:
                    await ended.wait()
            outcome = await self._end_of(execution)
            await tail.idle.wait()  # a checkpoint may have ended the execution, and the function still returns
        payload, failed = envelope.reply(outcome)
        result = Result(payload, failed=failed)
        return Invocation(result, tail.text, execution.began.version, durable_arn=execution.began.arn)

    async def _end_of(self, execution: Execution) -> Outcome:
        """What an execution ended with, as soon as it has."""
        execution_id, ended = execution.began.execution_id, asyncio.Event()
        with self._executions.watching(execution_id, ended.set):
            while True:
                outcome = await self._store.read(lambda reader: repository.outcome(reader, execution_id))
                if outcome is not None:
                    return outcome
                if self._executions.stopping:
                    raise EngineClosedError("the platform is stopping; the execution goes on with its next start")
                ended.clear()
                await ended.wait()

    def _start(self, tx: Tx, entry: Entry, asked: Asked, version: str, execution_id: str) -> Execution:
        name = entry.function.name
        durable = config.of_version(tx, name, version)
        if durable is None:
            raise function_not_found(self._home.arn(name, version))
        if asked.waits and durable.timeout_s > config.SYNCHRONOUS_S:
            raise invalid_parameter(config.TOO_LONG)
        # The redelivery of an event that was not acknowledged finds the execution that it started.
        own = asked.request_id if asked.source == "event" else execution_id
        return self._executions.start(
            tx,
            Starting(
                execution_id,
                name,
                version,
                asked.durable_name or own,
                asked.arn,
                durable,
                asked.payload,
                waited=asked.waits,
                trace_id=self._traces.trace_of(entry, asked.trace_id),
                tenant=asked.tenant,
            ),
        )
