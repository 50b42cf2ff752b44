"""Pipes, built: the service `pipes`."""

from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.services.contract import Handler, operations_of
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.pipes.calls import Calls
from mayfly.services.pipes.driver import Driver
from mayfly.services.pipes.execution_log import ExecutionLog
from mayfly.services.pipes.filters import filter_of
from mayfly.services.pipes.model import SERVICE_PRINCIPAL, Pipe
from mayfly.services.pipes.names import DESTINATIONS, Home, service_of
from mayfly.services.pipes.operations.pipes import PipeOperations
from mayfly.services.pipes.operations.tags import TagOperations
from mayfly.services.pipes.runner import Parts, Runner
from mayfly.services.pipes.sources import Sources
from mayfly.services.pipes.targets import target_of
from mayfly.services.ports import (
    CallRecords,
    DestinationCalls,
    EventTargets,
    KeySource,
    QueueSource,
    Roles,
    SdkOperations,
)
from mayfly.store.api import Store


class PipesService:
    """A `Service`. `run` must be a task for as long as pipes are to run."""

    name = "pipes"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        home: Home,
        queues: QueueSource,
        targets: EventTargets,
        operations: SdkOperations,
        roles: Roles,
        keys: KeySource,
        records: CallRecords,
        destinations: DestinationCalls,
        endpoint: str,
    ) -> None:
        execution = ExecutionRoles(roles, keys, home.account, SERVICE_PRINCIPAL, clock)
        calls = Calls(operations, execution, home, endpoint)
        sources = Sources(queues, store, clock)

        def make(pipe: Pipe) -> Runner:
            alone = DESTINATIONS in (service_of(pipe.target), service_of(pipe.enrichment))
            parts = Parts(
                store=store,
                clock=clock,
                home=home,
                calls=calls,
                destinations=destinations,
                roles=execution,
                source=sources.of(pipe.source, pipe.source_parameters, alone=alone),
                filter=filter_of(pipe.source_parameters),
                target=target_of(pipe, home, targets, calls, destinations, clock),
                log=ExecutionLog(pipe, home, records, clock),
            )
            return Runner(pipe, parts)

        self.driver = Driver(store, clock, make)
        self.operations: Mapping[str, Handler] = operations_of(
            PipeOperations(store, clock, home, sources, calls, execution, self.driver),
            TagOperations(store, home),
        )

    async def run(self) -> None:
        """Run pipes until cancelled."""
        await self.driver.run()
