"""The queues service, built: SQS on the wire."""

import asyncio
from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.services.contract import Handler, operations_of
from mayfly.services.queues.board import Board
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.events import QueueDoors
from mayfly.services.queues.holding import Holding
from mayfly.services.queues.move_tasks import MoveTasks
from mayfly.services.queues.operations.attributes import AttributeOperations
from mayfly.services.queues.operations.held import HeldOperations
from mayfly.services.queues.operations.move_tasks import MoveTaskOperations
from mayfly.services.queues.operations.queues import QueueOperations
from mayfly.services.queues.operations.receiving import ReceiveOperations
from mayfly.services.queues.operations.sending import SendOperations
from mayfly.services.queues.receiving import Receiving
from mayfly.services.queues.sending import Sending
from mayfly.services.queues.source import QueueTaps
from mayfly.services.queues.sweeping import Sweeper
from mayfly.store.api import Store


class QueuesService:
    """A `Service`. `run` is its background work and must be a task for as long as the service is used."""

    name = "sqs"

    def __init__(self, store: Store, clock: Clock) -> None:
        catalog, self.board = Catalog(), Board(clock)
        sending = Sending(self.board, clock)
        receiving = Receiving(catalog, self.board, clock)
        self.event_targets = QueueDoors(store, catalog, sending)
        self.sink = self.event_targets
        held = Holding(self.board, clock)
        receive = ReceiveOperations(store, clock, catalog, self.board, receiving)
        self.source = QueueTaps(store, catalog, receive, held)
        self.move_tasks = MoveTasks(store, clock, catalog, self.board)
        self.sweeper = Sweeper(store, clock, catalog)
        self.operations: Mapping[str, Handler] = operations_of(
            QueueOperations(store, clock, catalog, self.board),
            AttributeOperations(store, clock, catalog),
            SendOperations(store, catalog, sending),
            receive,
            HeldOperations(store, catalog, held),
            MoveTaskOperations(store, clock, catalog, self.move_tasks),
        )

    def dismiss(self) -> None:
        """Answer receivers that wait, since the platform stops: a long poll is no work that must be finished."""
        self.board.dismiss()

    async def run(self) -> None:
        """Remove what may be removed and carry out message move tasks, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.sweeper.run(), name="queues-sweeper")
            tasks.create_task(self.move_tasks.run(), name="queues-move-tasks")
