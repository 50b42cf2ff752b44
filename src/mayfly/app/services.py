"""The services of a platform, each built when it is first needed: the one place where modules are imported late.

A further service is one method of `Services` here, which imports and builds it, and one line in `__init__` with its
names on the wire and the packages of its tables. It costs a platform nothing before its first request, or before
another service hands it something (`late_ports`); and where its tables have rows (`in_use`), it is built and started
with the platform, so that durable work goes on as if it had never been late.

What every request needs is not late and comes from elsewhere: keys and roles (identity), the book of logs, metrics of
calls, functions as far as calls of them go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from mayfly.app.answer_doors import URL as ANSWERS
from mayfly.app.compute import Compute
from mayfly.app.foundations import Foundations
from mayfly.app.in_use import Traces, in_use
from mayfly.app.late_ports import (
    LateApis,
    LateBus,
    LateDestinations,
    LateObjects,
    LatePolicies,
    LateQueues,
    LateTargets,
    OnTheWire,
)
from mayfly.app.life import Life
from mayfly.app.links import LateSdkOperations, LateServiceRequests
from mayfly.app.own_addresses import OwnAddresses
from mayfly.app.targets import Targets
from mayfly.app.watching import Watching
from mayfly.http.api import Answer
from mayfly.late import Late, Living
from mayfly.services import apis, functions
from mayfly.services.apis.directory import Directory
from mayfly.services.autoscaling.event_targets import PolicyTargets
from mayfly.services.contract import HttpRequest, HttpResponse, Service
from mayfly.services.ports import Vault
from mayfly.wire.in_process import InProcessOperations

if TYPE_CHECKING:  # what is late is imported by the methods that build it
    from mayfly.app.messaging import Buses
    from mayfly.services.apis.service import ApisService
    from mayfly.services.autoscaling.service import AutoscalingService
    from mayfly.services.configs.service import Configs
    from mayfly.services.functions.on_the_wire import FunctionsOnTheWire
    from mayfly.services.identity.on_the_wire import IdentityOnTheWire
    from mayfly.services.objects.service import ObjectsService
    from mayfly.services.pipes.service import PipesService
    from mayfly.services.queues.service import QueuesService
    from mayfly.services.registries.service import RegistriesService
    from mayfly.services.schedules.service import SchedulesService
    from mayfly.services.stacks.control.operations import ControlService
    from mayfly.services.stacks.service import StacksService
    from mayfly.services.tables.service import TablesService
    from mayfly.services.topics.service import TopicsService

T = TypeVar("T")


@dataclass(frozen=True)
class Ground:
    """What services stand on, and one another: whatever is bound late is bound before anything is served."""

    base: Foundations
    targets: Targets
    sdk_calls: LateSdkOperations
    requests: LateServiceRequests
    vault: Vault
    outgoing: OwnAddresses
    bus: LateBus


@dataclass(frozen=True)
class Entry:
    """A late service, and where it leaves traces in the database."""

    late: Late[Any]
    names: tuple[str, ...]  # on the wire
    traces: Traces


class Services:
    """Made by the root in two steps: `attach` says what runs functions, once that is there."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._entries: list[Entry] = []
        self._used: list[Entry] = []
        self._compute: Compute | None = None
        self._watching: Watching | None = None
        self._operations: InProcessOperations | None = None
        self._around: Callable[[Service], Service] = _unchanged
        self.directory = Directory(ground.base.store)
        # In the order in which they start; they stop in reverse.
        self.identity = self._late("identity", self._identity, ("iam", "sts"), Traces())
        self.logs = self._late("logs", self._logs, ("logs",), Traces())
        self.metrics = self._late("metrics", self._metrics, ("cloudwatch",), Traces())
        of_functions = Traces(functions.MIGRATED, queues=("functions.",))
        self.functions = self._late("functions", self._functions, ("lambda", "codedeploy"), of_functions)
        names = ("apigateway", "apigatewayv2", "apigatewaymanagementapi")
        self.apis = self._late("apis", self._apis, names, Traces(apis.MIGRATED))
        self.objects = self._late("objects", self._objects, ("s3",), Traces(("mayfly.services.objects",)))
        self.queues = self._late("queues", self._queues, ("sqs",), Traces(("mayfly.services.queues",)))
        self.buses: Late[Buses] = self._late("buses", self._buses, ("events",), Traces(("mayfly.services.events",)))
        topics = Traces(("mayfly.services.topics",), queues=("topics.",))
        self.topics = self._late("topics", self._topics, ("sns",), topics)
        schedules = Traces(
            ("mayfly.services.schedules",), queues=("schedules.",), unless={"schedules_group": "name = 'default'"}
        )
        self.schedules = self._late("schedules", self._schedules, ("scheduler",), schedules)
        self.pipes = self._late("pipes", self._pipes, ("pipes",), Traces(("mayfly.services.pipes",)))
        scaling = Traces(("mayfly.services.autoscaling",))
        self.scaling = self._late("scaling", self._scaling, ("application-autoscaling",), scaling)
        configs = Traces(("mayfly.services.configs",), queues=("secrets-",))
        self.configs = self._late("configs", self._configs, ("ssm", "secretsmanager"), configs)
        self.tables = self._late("tables", self._tables, ("dynamodb",), Traces(("mayfly.services.tables",)))
        self.registries = self._late("registries", self._registries, ("ecr",), Traces())
        self.stacks = self._late("stacks", self._stacks, ("cloudformation",), Traces(("mayfly.services.stacks",)))
        self.control = self._late("control", self._control, ("cloudcontrol",), Traces())
        self._bind()

    def _bind(self) -> None:
        """Say where those are who are handed something by others."""
        ground = self._ground
        ground.bus.bind(self.buses)
        self.queue_doors = LateQueues(self.queues)
        self.object_doors = LateObjects(self.objects)
        self.api_doors = LateApis(self.apis, self.directory)
        targets = ground.targets
        targets.add("sqs", _targets(self.queues, lambda queues: queues.event_targets))
        targets.add("events", _targets(self.buses, lambda buses: buses.events.event_targets))
        targets.add("sns", _targets(self.topics, lambda topics: topics.event_targets))
        targets.add("autoscaling", PolicyTargets(LatePolicies(self.scaling).wake))

    def attach(self, compute: Compute, watching: Watching, around: Callable[[Service], Service]) -> None:
        """Say what runs functions and measures; and what is to be around each service before anybody calls it."""
        self._compute, self._watching, self._around = compute, watching, around

    def operate(self, operations: InProcessOperations) -> None:
        """Say how stacks call the others."""
        self._operations = operations

    @property
    def operations(self) -> InProcessOperations:
        """Operations of all but stacks, in process."""
        return self._given(self._operations)

    def on_the_wire(self) -> dict[str, OnTheWire]:
        """All of them, by their names on the wire."""
        return {
            name: OnTheWire(name, _part(entry.late, name), self._around)
            for entry in self._entries
            for name in entry.names
        }

    def pages(self) -> dict[str, Answer]:
        """Ways in over plain HTTP, by the path segment below `/_mayfly/`."""

        async def of_buses(request: HttpRequest, page: str) -> HttpResponse:
            return await (await self.buses.ready()).pages[page](request)

        async def topics(request: HttpRequest) -> HttpResponse:
            return await (await self.topics.ready()).pages.handle(request)

        async def stacks(request: HttpRequest) -> HttpResponse:
            return await (await self.stacks.ready()).post.handle(request)

        return {
            "events": lambda request: of_buses(request, "events"),
            "webhooks": lambda request: of_buses(request, "webhooks"),
            "topics": topics,
            "stacks": stacks,
        }

    async def build_used(self) -> list[str]:
        """Build those whose tables have rows, so that they are there for each other when the first one starts. The
        names on the wire of those."""
        await self.directory.open()
        traces = {entry.late.name: entry.traces for entry in self._entries}
        used = await in_use(self._ground.base.store, traces)
        self._used = [entry for entry in self._entries if entry.late.name in used]
        await asyncio.to_thread(lambda: [entry.late.make() for entry in self._used])
        return [name for entry in self._used for name in entry.names]

    async def awaits_answers(self) -> float:
        """For how many seconds functions may answer stacks that have asked them before this start."""
        return 0.0 if self.stacks.made is None else await self.stacks.made.post.open_for()

    async def start(self, life: Life) -> None:
        """Start those that were built; all of them end with `life`."""
        for entry in self._entries:
            life.await_at_end(entry.late.close)
        for entry in self._used:
            await entry.late.ready()

    def _late(self, name: str, make: Callable[[], Living[T]], names: tuple[str, ...], traces: Traces) -> Late[T]:
        late = Late(name, make)
        self._entries.append(Entry(late, names, traces))
        return late

    # One method a service, which imports and builds it.

    def _identity(self) -> "Living[IdentityOnTheWire]":
        from mayfly.services.identity.on_the_wire import IdentityOnTheWire

        return Living(IdentityOnTheWire(self._ground.base.identity))

    def _logs(self) -> "Living[Service]":
        from mayfly.services.telemetry.on_the_wire import LogsOnTheWire

        base = self._ground.base
        return Living(LogsOnTheWire(base.store, base.logs.book, base.clock, self._ground.targets))

    def _metrics(self) -> "Living[Service]":
        from mayfly.services.metrics.on_the_wire import MetricsOnTheWire

        return Living(MetricsOnTheWire(self._given(self._watching).metrics))

    def _functions(self) -> "Living[FunctionsOnTheWire]":
        from mayfly.services.functions.on_the_wire import FunctionsOnTheWire

        functions = FunctionsOnTheWire(self._given(self._compute).functions)
        return Living(functions, start=functions.start, stop=functions.stop)

    def _apis(self) -> "Living[ApisService]":
        from mayfly.services.apis.parts import Parts
        from mayfly.services.apis.service import ApisService

        ground, base = self._ground, self._ground.base
        parts = Parts(
            base.settings,
            base.clock,
            base.store,
            self.directory,
            self._given(self._compute).functions.waited,
            ground.sdk_calls,
            ground.requests,
            ground.targets,
            base.identity.roles,
            base.identity.keys,
            base.signed,
            ground.outgoing,
            ground.vault,
            base.records,
            self._given(self._watching).calls,
            base.info.url,
        )
        apis = ApisService(parts)
        return Living(apis, start=apis.start, stop=apis.stop)

    def _objects(self) -> "Living[ObjectsService]":
        from mayfly.services.objects.service import ObjectsService

        base = self._ground.base
        return Living(ObjectsService(base.store, base.blobs, self._ground.targets, base.clock, self._ground.bus))

    def _queues(self) -> "Living[QueuesService]":
        from mayfly.services.queues.service import QueuesService

        queues = QueuesService(self._ground.base.store, self._ground.base.clock)
        return Living(queues, run=queues.run)

    def _buses(self) -> "Living[Buses]":
        from mayfly.app.messaging import Buses

        ground = self._ground
        buses = Buses(ground.base, ground.targets, self.queue_doors, ground.vault, ground.outgoing)
        return Living(buses, run=buses.run)

    def _topics(self) -> "Living[TopicsService]":
        from mayfly.services.topics.service import TopicsService

        ground, base = self._ground, self._ground.base
        topics = TopicsService(
            base.store,
            base.queue,
            self.queue_doors,
            ground.targets,
            ground.outgoing,
            lambda lines: base.records.append(lines, ()),
            base.clock,
            ground.vault,
        )
        return Living(topics, run=topics.run)

    def _schedules(self) -> "Living[SchedulesService]":
        from mayfly.services.schedules.names import Home
        from mayfly.services.schedules.service import SchedulesService

        ground, base = self._ground, self._ground.base
        schedules = SchedulesService(
            base.store,
            base.queue,
            base.clock,
            Home(base.settings.account, base.settings.region),
            ground.targets,
            ground.sdk_calls,
            base.identity.roles,
            base.identity.keys,
            self.queue_doors,
            base.info.url,
        )
        return Living(schedules, start=schedules.start, run=schedules.run)

    def _pipes(self) -> "Living[PipesService]":
        from mayfly.services.pipes.names import Home
        from mayfly.services.pipes.service import PipesService

        ground, base = self._ground, self._ground.base
        pipes = PipesService(
            base.store,
            base.clock,
            Home(base.settings.account, base.settings.region),
            self.queue_doors,
            ground.targets,
            ground.sdk_calls,
            base.identity.roles,
            base.identity.keys,
            base.records,
            LateDestinations(self.buses),
            base.info.url,
        )
        return Living(pipes, run=pipes.run)

    def _scaling(self) -> "Living[AutoscalingService]":
        from mayfly.services.autoscaling.service import AutoscalingService

        base, used = self._ground.base, self._given(self._compute).functions.provisioned
        place = (base.settings.account, base.settings.region)
        scaling = AutoscalingService(base.store, base.clock, *place, self._ground.sdk_calls, used, base.info.url)
        return Living(scaling, run=scaling.run)

    def _configs(self) -> "Living[Configs]":
        from mayfly.services.configs.service import Configs

        ground, base = self._ground, self._ground.base
        configs = Configs(
            base.store,
            base.queue,
            base.clock,
            ground.vault,
            ground.bus,
            ground.targets,
            ground.sdk_calls,
            base.info.url,
        )
        return Living(configs, run=configs.run)

    def _tables(self) -> "Living[TablesService]":
        from mayfly.services.tables.service import TablesService

        tables = TablesService(self._ground.base.store, self._ground.base.clock)
        return Living(tables, run=tables.run)

    def _registries(self) -> "Living[RegistriesService]":
        from mayfly.services.registries.service import RegistriesService

        return Living(RegistriesService())

    def _stacks(self) -> "Living[StacksService]":
        from mayfly.services.stacks.post import Addresses
        from mayfly.services.stacks.service import StacksService

        ground, base = self._ground, self._ground.base
        addresses = Addresses(base.info.url, base.info.url)
        if base.settings.engine.isolation != "process":  # functions in sandboxes have a door of their own to answer at
            addresses = Addresses(base.info.url, ANSWERS, self._given(self._compute).doors.expect)
        stacks = StacksService(
            base.store,
            base.vault,
            self.operations,
            self.object_doors,
            base.clock,
            events=ground.bus,
            accept_inert=base.settings.accept_inert,
            targets=ground.targets,
            roles=base.identity.roles,
            addresses=addresses,
        )
        return Living(stacks, start=stacks.start, stop=stacks.stop)

    def _control(self) -> "Living[ControlService]":
        from mayfly.services.stacks.control.operations import ControlService

        return Living(ControlService(self.operations))

    @staticmethod
    def _given(part: T | None) -> T:
        assert part is not None, "attached before anything is served"
        return part


def _unchanged(service: Service) -> Service:
    return service


def _targets(late: Late[T], of: Callable[[T], Any]) -> LateTargets:
    async def ready() -> Any:
        return of(await late.ready())

    return LateTargets(ready, lambda: of(late.now()))


def _part(late: Late[Any], name: str) -> Callable[[], Awaitable[Service]]:
    """Of what may be several services on the wire, the one of that name."""

    async def ready() -> Service:
        made = await late.ready()
        several: Sequence[Service] = made if isinstance(made, Sequence) else getattr(made, "services", (made,))
        return next(service for service in several if service.name == name)

    return ready
