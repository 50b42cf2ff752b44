"""Asynchronous invocation, put together: from where events are accepted to what becomes of them. For `service`."""

import os

from mayfly.clock import Clock
from mayfly.engine.api import Engine
from mayfly.services.functions.asynchronous import EventIntake, EventQueue, default_concurrency
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.destinations import Destinations
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.names import Home
from mayfly.services.functions.tasks.deliveries import Deliveries
from mayfly.services.functions.tasks.desk import TaskDesk
from mayfly.services.functions.tasks.dispatcher import AHEAD, Dispatcher
from mayfly.services.functions.tasks.lanes import Lanes
from mayfly.services.functions.tasks.submitting import Submitting
from mayfly.services.functions.tasks.sweeping import Deadlines, Sweeping
from mayfly.services.ports import EventTargets, MetricCounts, ObjectSink
from mayfly.settings import FunctionLimits
from mayfly.store.api import ReadyQueue, Store


class Asynchronous:
    """The parts: `events` and `intake` accept, `dispatcher` runs, `sweeping` ends what is late, `desk` answers."""

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        catalog: Catalog,
        calls: Invoker,
        engine: Engine,
        home: Home,
        limits: FunctionLimits,
        clock: Clock,
        targets: EventTargets,
        objects: ObjectSink,
        counts: MetricCounts,
        concurrency: int | None,
    ) -> None:
        """`concurrency`: how many events run at once; None: as many as suit the machine's processors."""
        places = concurrency or default_concurrency(os.cpu_count() or 1)
        lanes, deadlines = Lanes(places + AHEAD), Deadlines()
        self.events = EventQueue(queue, lanes, home, clock, counts, deadlines.noticed)
        self.intake = EventIntake(store, self.events, clock)
        self.destinations = Destinations(home, store, targets, objects, counts)
        deliveries = Deliveries(store, queue, lanes, catalog, calls, home, clock, self.destinations)
        self.dispatcher = Dispatcher(store, queue, lanes, deliveries, clock, places, self.intake.pressed)
        self.sweeping = Sweeping(store, queue, self.dispatcher, deadlines, clock)
        submitting = Submitting(store, self.events, lanes, catalog, home, limits)
        self.desk = TaskDesk(store, queue, self.events, lanes, self.dispatcher, engine, catalog, submitting, clock)
