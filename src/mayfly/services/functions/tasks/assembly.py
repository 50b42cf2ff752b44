"""Asynchronous invocation, put together: from where events are accepted to what becomes of them. For `service`."""

import os

from mayfly.services.functions.asynchronous import EventIntake, EventQueue, default_concurrency
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.destinations import Destinations
from mayfly.services.functions.ground import Ground
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.tasks.deliveries import Deliveries
from mayfly.services.functions.tasks.desk import TaskDesk
from mayfly.services.functions.tasks.dispatcher import AHEAD, Dispatcher
from mayfly.services.functions.tasks.lanes import Lanes
from mayfly.services.functions.tasks.submitting import Submitting
from mayfly.services.functions.tasks.sweeping import Deadlines, Sweeping


class Asynchronous:
    """The parts: `events` and `intake` accept, `dispatcher` runs, `sweeping` ends what is late, `desk` answers."""

    def __init__(self, ground: Ground, catalog: Catalog, calls: Invoker, concurrency: int | None) -> None:
        """`concurrency`: how many events run at once; None: as many as suit the machine's processors."""
        store, queue, home, clock, outside = ground.store, ground.queue, ground.home, ground.clock, ground.outside
        places = concurrency or default_concurrency(os.cpu_count() or 1)
        lanes, deadlines = Lanes(places + AHEAD), Deadlines()
        self.events = EventQueue(queue, lanes, home, clock, outside.counts, deadlines.noticed)
        self.intake = EventIntake(store, self.events, clock)
        self.destinations = Destinations(home, store, outside.targets, outside.objects, outside.counts)
        deliveries = Deliveries(store, queue, lanes, catalog, calls, home, clock, self.destinations, outside.vault)
        self.dispatcher = Dispatcher(store, queue, lanes, deliveries, clock, places, self.intake.pressed)
        self.sweeping = Sweeping(store, queue, self.dispatcher, deadlines, clock)
        submitting = Submitting(store, self.events, lanes, catalog, home, ground.settings.limits)
        self.desk = TaskDesk(
            store, queue, self.events, lanes, self.dispatcher, ground.engine, catalog, submitting, clock, outside.vault
        )
