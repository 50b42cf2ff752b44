"""Functions that executions invoke: a durable one gets an execution of its own, any other is invoked once.

What is invoked is resolved before the checkpoint, because that may take long; what cannot be invoked has failed when
the checkpoint is answered. A call of a function that is not durable waits in the ready queue, is made at least once,
and its end is one commit with its removal.

What is invoked comes with the trace of the execution, which has the execution's own function in its lineage: functions
that invoke one another in a circle are cut here as they are everywhere (`functions.recursion`).
"""

from typing import NamedTuple

import msgspec

from mayfly.services.contract import ServiceError
from mayfly.services.functions import recursion, tenancy
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.durable import config, transitions
from mayfly.services.functions.durable.executions import Executions, Starting, fresh_id
from mayfly.services.functions.durable.model import Error, Event, Operation, Parent
from mayfly.services.functions.durable.turn import Turn
from mayfly.services.functions.durable.updates import Update
from mayfly.services.functions.model import Durable
from mayfly.services.functions.names import Home
from mayfly.services.ports import MetricCounts
from mayfly.store.api import NewItem, ReadyQueue

QUEUE = "functions.durable.calls"

_encode = msgspec.msgpack.Encoder().encode


class Target(NamedTuple):
    """What a chained invocation runs."""

    function: str
    version: str
    function_arn: str  # as it was named
    config: Durable | None  # of a durable function
    allows_loops: bool = False


class ChainedCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call of a function that is not durable, as it waits in the ready queue."""

    parent: Parent
    function: str
    version: str
    function_arn: str
    payload: bytes
    request_id: str
    trace_id: str | None = None
    tenant: str | None = None


class Chaining:
    """Begins chained invocations."""

    def __init__(
        self, home: Home, catalog: Catalog, queue: ReadyQueue, executions: Executions, counts: MetricCounts
    ) -> None:
        self._home = home
        self._catalog = catalog
        self._queue = queue
        self._executions = executions
        self._counts = counts

    async def resolve(self, named: str, tenant: str | None) -> Target | Error:
        """What a name leads to now, or why nothing can be invoked by it on behalf of `tenant`."""
        try:
            reference = self._home.parse(named)
            entry = await self._catalog.get(reference.name, reference.qualifier)
            tenancy.of_call(entry.function.configuration, tenant)
        except ServiceError as error:
            return Error(error.message, error.code)
        durable = entry.function.configuration.durable
        if durable is not None and reference.qualifier is None:
            return Error(config.UNQUALIFIED, "InvalidParameterValueException")
        arn = self._home.arn(reference.name, reference.qualifier)
        return Target(reference.name, entry.pick().version, arn, durable, entry.function.allows_loops)

    def begin(self, turn: Turn, operation: Operation, started: Event, update: Update, target: Target | Error) -> None:
        """Keep the operation, and have its function run, or say why that cannot be."""
        trace_id = self._trace(turn, update)
        if isinstance(target, Target):
            target = self._unless_loop(turn, target, trace_id)
        if isinstance(target, Error):
            failed, event = transitions.ended(operation, "FAILED", turn.now, None, target)
            turn.put(failed, None)
            turn.say(msgspec.structs.replace(started, payload=None))
            turn.say(event)
            return
        parent = Parent(turn.execution_id, operation.id)
        payload = (update.payload or "{}").encode()
        child_arn = None
        if target.config is not None:
            found = config.of_version(turn.tx, target.function, target.version) or target.config
            child_id = fresh_id()
            child = self._executions.start(
                turn.tx,
                Starting(
                    child_id,
                    target.function,
                    target.version,
                    child_id,
                    target.function_arn,
                    found,
                    payload,
                    trace_id=trace_id,
                    parent=parent,
                    tenant=update.tenant,
                ),
            )
            child_arn = child.began.arn
        else:
            call = ChainedCall(
                parent,
                target.function,
                target.version,
                target.function_arn,
                payload,
                fresh_id(),
                trace_id,
                update.tenant,
            )
            self._queue.enqueue(turn.tx, [NewItem(QUEUE, _encode(call))])
        details = started.details | {"ExecutedVersion": target.version}
        if child_arn is not None:
            details["DurableExecutionArn"] = child_arn
        kept = msgspec.structs.replace(operation, target=target.version, child=child_arn)
        turn.put(kept, None)
        turn.say(msgspec.structs.replace(started, details=details))

    def _trace(self, turn: Turn, update: Update) -> str | None:
        """What the function says, if the function itself is in its lineage; otherwise what the execution knows."""
        own, arn = turn.began.trace_id, self._home.arn(turn.began.function)
        if own is None:
            return update.trace_id
        return recursion.deepest((update.trace_id, recursion.entered(own, arn)), arn)

    def _unless_loop(self, turn: Turn, target: Target, trace_id: str | None) -> Target | Error:
        turns = recursion.turns(trace_id, self._home.arn(target.function))
        if target.allows_loops or turns < recursion.MOST:
            return target
        where = (("FunctionName", target.function),)
        turn.tx.after_commit(lambda: self._counts.count("RecursiveInvocationsDropped", where))
        fault = recursion.fault()
        return Error(fault.message, fault.code)
