"""The functions service on a real store, with everything that is not its subject replaced by small stand-ins."""

import asyncio
import io
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from botocore.loaders import Loader
from botocore.model import ServiceModel

from mayfly import ids
from mayfly.app.targets import Targets
from mayfly.app.vault import FileVault
from mayfly.clock import ManualClock, SystemClock, utc
from mayfly.engine.api import (
    Call,
    Counters,
    Failure,
    FunctionCounters,
    Outcome,
    PoolView,
    Prepared,
    Provisioned,
    Target,
    TemplateView,
)
from mayfly.engine.streamed import Streamed
from mayfly.images.service import Images
from mayfly.services.contract import ANONYMOUS, RequestContext, ServiceError
from mayfly.services.functions.durable.feature import DurableFunctions
from mayfly.services.functions.ground import Ground, Outside
from mayfly.services.functions.held import Held
from mayfly.services.functions.log_streams import Streams
from mayfly.services.functions.names import Home
from mayfly.services.functions.on_the_wire import FunctionsOnTheWire
from mayfly.services.functions.recorder import Recorder
from mayfly.services.functions.runtimes import RETIRED, RuntimeAbsent, RuntimeChoice
from mayfly.services.functions.service import FunctionsService, image_architecture
from mayfly.services.functions.tasks.lanes import PREFIX, lane_of
from mayfly.services.objects.service import ObjectsService
from mayfly.services.ports import PLAIN, Credentials, LogLines, ShardSource, TargetOptions, UsageRecord
from mayfly.services.queues.service import QueuesService
from mayfly.settings import FunctionLimits, ImageSettings, Settings
from mayfly.store.api import Claim, DeadItem, NewItem, Reader, Tx
from mayfly.store.files import FileBlobs
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore

ACCOUNT, REGION = "000000000000", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runs"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"

EVENTS_AT_ONCE = 40
MODEL: Any = ServiceModel(Loader().load_service_model("lambda", "service-2"), "lambda")

Script = Callable[[Target, Call], Outcome | BaseException]


def zipped(files: Mapping[str, str | bytes] | None = None) -> bytes:
    """A deployment package."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (files or {"app.py": "def handler(event, context): return event"}).items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def ok(payload: bytes = b"null", **members: Any) -> Outcome:
    """An outcome of a warm call that went well."""
    return Outcome(payload, None, **{**_TOOK, **members})


def failed(failure: Failure, **members: Any) -> Outcome:
    return Outcome(b"", failure, **{**_TOOK, **members})


_TOOK: dict[str, Any] = {
    "instance": "i-1",
    "cold": False,
    "duration_ms": 2.345,
    "init_ms": None,
    "queued_ms": 0.1,
    "peak_memory_bytes": 40 << 20,
}


@dataclass
class ScriptedEngine:
    """An `Engine` whose outcomes a test writes; tells the observer like the real one."""

    recorder: Recorder
    script: Script = lambda target, call: ok(call.payload)
    printed: list[str] = field(default_factory=list)
    calls: list[tuple[Target, Call]] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    on_stop: Callable[[], Any] | None = None
    reserved: dict[str, int | None] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    before: Callable[[], Any] | None = None
    wanted: dict[str, tuple[Target, int]] = field(default_factory=dict)
    bounds: dict[str, int | None] = field(default_factory=dict)
    limits: dict[str, float | None] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    available: int = 0  # of the provisioned instances of each target, at most
    failure: str | None = None
    preparing: list[Target] = field(default_factory=list)
    prepared: Prepared = field(default_factory=lambda: Prepared(optimized=False, reason="only scripted"))
    before_prepared: Callable[[], Any] | None = None
    parts: tuple[str, list[bytes]] | None = None  # of the results of calls that are streamed: content type, and they

    async def busy(self, calls: int) -> None:
        """Return once so many calls arrived."""
        async with asyncio.timeout(60):
            while len(self.calls) < calls:
                self._more.clear()
                await self._more.wait()

    async def invoke(self, target: Target, call: Call, into: Streamed | None = None) -> Outcome:
        self.calls.append((target, call))
        self.arrived.set()
        self._more.set()
        if self.before is not None:
            await self.before()
        await target.environment("i-1")
        if into is not None and self.parts is not None:
            content_type, parts = self.parts
            into.begin(content_type, lambda _: None)
            for part in parts:
                into.feed(part)
                await asyncio.sleep(0)
        outcome = self.script(target, call)
        if isinstance(outcome, BaseException):
            raise outcome
        self.recorder.started(target, outcome.instance, call)
        if self.printed:
            self.recorder.output(target, outcome.instance, call, [(1_700_000_000.0, line) for line in self.printed])
        self.recorder.finished(target, call, outcome)
        return outcome

    def stop(self, request_id: str) -> bool:
        self.stopped.append(request_id)
        if self.on_stop is not None:
            self.on_stop()
        return True

    def retire(self, key: str) -> None:
        self.retired.append(key)

    def reserve(self, function: str, concurrency: int | None) -> None:
        self.reserved[function] = concurrency

    def provision(self, target: Target, instances: int) -> None:
        self.wanted[target.key] = (target, instances)
        self.arrived.set()

    def bound(self, key: str, instances: int | None) -> None:
        self.bounds[key] = instances

    def peak(self, key: str) -> int:
        return self.peaks.pop(key, 0)

    def limit(self, fleet: str, processors: float | None) -> None:
        self.limits[fleet] = processors

    def provisioned(self, key: str) -> Provisioned | None:
        if key not in self.wanted or not self.wanted[key][1]:
            return None
        wanted = self.wanted[key][1]
        return Provisioned(wanted, min(wanted, self.available), self.failure)

    async def prepare(self, target: Target) -> Prepared:
        self.preparing.append(target)
        self.arrived.set()
        if self.before_prepared is not None:
            await self.before_prepared()
        return self.prepared

    def template(self, key: str) -> TemplateView | None:
        return None

    def snapshot(self) -> tuple[PoolView, ...]:
        return ()

    def counters(self) -> Counters:
        raise NotImplementedError

    def counters_of(self, function: str) -> FunctionCounters:
        return FunctionCounters()

    async def close(self, grace_s: float) -> None: ...


@dataclass
class KnownRoles:
    known: set[str] = field(default_factory=lambda: {ROLE})

    async def exists(self, role_arn: str) -> bool:
        return role_arn in self.known

    async def trusts(self, role_arn: str, service: str) -> bool:
        return role_arn in self.known and service == "lambda.amazonaws.com"

    async def credentials(self, role_arn: str, session_name: str, duration_s: int) -> Credentials:
        if role_arn not in self.known:
            raise ServiceError("NoSuchEntity", "no such role", status=404)
        return Credentials("ASIA1", "secret", f"token of {session_name}", utc(0) + timedelta(seconds=duration_s))


@dataclass
class Bucket:
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)

    async def open(self, bucket: str, key: str, version: str | None) -> AsyncIterator[bytes]:
        if (bucket, key) not in self.objects:
            raise ServiceError("NoSuchKey", "The specified key does not exist.", status=404)
        return self._chunks(self.objects[bucket, key])

    async def _chunks(self, data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 100):
            yield data[start : start + 100]


class Line(NamedTuple):
    """One line of a log."""

    group: str
    stream: str
    timestamp_ms: int
    message: str


@dataclass
class Records:
    """`Logs` and `Usage` in a list."""

    events: list[Line] = field(default_factory=list)
    usage: list[UsageRecord] = field(default_factory=list)

    def append(self, lines: Sequence[LogLines], usages: Sequence[UsageRecord]) -> None:
        self.events += [Line(each.group, each.stream, *event) for each in lines for event in each.events]
        self.usage.extend(usages)

    @property
    def lines(self) -> list[str]:
        return [event.message for event in self.events]

    # As `ports.CallLedger`.

    async def settle(self) -> None:
        """All of it is there at once."""

    def position(self, reader: Reader) -> int:
        return len(self.usage)

    def records_after(self, reader: Reader, position: int, limit: int) -> tuple[int, list[UsageRecord]]:
        found = self.usage[position : position + limit]
        return position + len(found), found


@dataclass
class AlarmsAsSet:
    """`ports.AlarmStates` that a test sets."""

    known: dict[str, str] = field(default_factory=dict)

    def states(self, reader: Reader, names: Sequence[str]) -> dict[str, str]:
        return {name: self.known[name] for name in names if name in self.known}


def choose(identifier: str) -> RuntimeChoice | RuntimeAbsent:
    if identifier in ("python3.15", "nodejs26.x"):
        return RuntimeAbsent(f"no interpreter was found; install one of {identifier}")
    if identifier in RETIRED:
        return RuntimeAbsent("no function of it runs here")
    if identifier == "python3.11":
        return CHOICE
    warning = f"{identifier} is not installed; functions run on python3.11"
    return RuntimeChoice("python3.11", warning)


CHOICE = RuntimeChoice("python3.11")


def check_members(value: Any, shape: Any, where: str) -> None:
    """Fail on a member that botocore's model of the reply does not have."""
    if shape is None:
        assert value == {}, f"{where} has no reply"
    elif shape.type_name == "structure":
        for member, inner in value.items():
            assert member in shape.members, f"{where} has no member {member}"
            check_members(inner, shape.members[member], f"{where}.{member}")
    elif shape.type_name == "list":
        for inner in value:
            check_members(inner, shape.member, f"{where}[]")


class WatchedQueue(SqlReadyQueue):
    """The real queue, which lets a test wait for what happened in it: "enqueue", "retry", "extend"."""

    def __init__(self, store: SqliteStore, clock: ManualClock, vault: FileVault) -> None:
        super().__init__(store, clock, vault)
        self._happened: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def enqueue(self, tx: Tx, items: Sequence[NewItem]) -> list[int]:
        tx.after_commit(lambda: self._note("enqueue"))
        return super().enqueue(tx, items)

    def retry(self, tx: Tx, claim: Claim, ready_at: float) -> None:
        tx.after_commit(lambda: self._note("retry"))
        super().retry(tx, claim, ready_at)

    def complete(self, tx: Tx, claim: Claim) -> None:
        tx.after_commit(lambda: self._note("complete"))
        super().complete(tx, claim)

    def complete_all(self, tx: Tx, claims: Sequence[Claim]) -> None:
        tx.after_commit(lambda: self._note("complete"))
        super().complete_all(tx, claims)

    def bury(self, tx: Tx, claim: Claim, reason: str) -> None:
        tx.after_commit(lambda: self._note("bury"))
        super().bury(tx, claim, reason)

    async def extend(self, claim: Claim, lease_s: float) -> Claim:
        extended = await super().extend(claim, lease_s)
        self._note("extend")
        return extended

    async def seen(self, what: str, times: int) -> None:
        """Return once `what` happened at least `times` times."""
        async with asyncio.timeout(60):
            while self._happened[what] < times:
                self._changed.clear()
                await self._changed.wait()

    async def empty(self, prefix: str) -> None:
        """Return once nothing is left in queues whose names begin so."""
        self._changed.clear()
        while await self.queues(prefix):
            await self._changed.wait()
            self._changed.clear()

    async def more_than(self, times: int, *what: str) -> None:
        """Return once these happened more than `times` times, together."""
        async with asyncio.timeout(60):
            while sum(self._happened[each] for each in what) <= times:
                self._changed.clear()
                await self._changed.wait()

    def happened(self, what: str) -> int:
        return self._happened[what]

    def _note(self, what: str) -> None:
        self._happened[what] += 1
        self._changed.set()


class Counts:
    """`ports.MetricCounts` that adds up."""

    def __init__(self) -> None:
        self.totals: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self.units: dict[str, str] = {}

    def count(
        self,
        metric: str,
        dimensions: Sequence[tuple[str, str]],
        amount: float = 1.0,
        unit: str = "Count",
        namespace: str = "AWS/Lambda",
    ) -> None:
        assert namespace == "AWS/Lambda"
        self.units[metric] = unit
        self.totals[metric, tuple(dimensions)] += int(amount)

    def gather(self, drain: object) -> None:
        raise AssertionError("functions count")


@dataclass
class Recording:
    """`ports.EventTargets` that keeps what it takes; it knows every ARN but those that end in "gone", or are."""

    accepted: list[tuple[str, bytes, TargetOptions]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        self._find(arn)

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        self._find(arn)
        tx.after_commit(lambda: self.accepted.append((arn, event, options)))

    def _find(self, arn: str) -> None:
        if arn.endswith("gone") or arn in self.gone:
            raise ServiceError("NotFound", f"{arn} does not exist.", status=404)


class Told:
    """`ports.PlatformEvents` that keeps what it is told: detail types and details."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        tx.after_commit(lambda: self.events.append((detail_type, detail)))


class Stage:
    """Everything a test needs: call operations, script the engine, look at records."""

    def __init__(
        self, data: Path, store: SqliteStore, clock: ManualClock, limits: FunctionLimits | None = None
    ) -> None:
        home = Home(ACCOUNT, REGION)
        streams = Streams(clock)
        self.levels = {"namespace", "container"}  # that this machine gives
        self.clock = clock
        self.store = store
        self.data = data
        self.records = Records()
        self.roles = KnownRoles()
        self.vault = FileVault(data / "secrets.key")
        self.bucket = Bucket()
        self.queue = WatchedQueue(store, clock, self.vault)
        self.blobs = FileBlobs(data / "blobs", store, clock)
        self.counts = Counts()
        self.shards: dict[str, ShardSource] = {}
        self.alarms = AlarmsAsSet()
        self.told = Told()
        self.queues = QueuesService(store, clock)
        self.targets = Targets()
        self.targets.add("sqs", self.queues.event_targets)
        self.topics = Recording()
        self.targets.add("sns", self.topics)
        self.buses = Recording()
        self.targets.add("events", self.buses)
        self.objects = ObjectsService(store, self.blobs, self.targets, clock)
        recorder = Recorder(Held(self.records, lambda *_: None), home, streams, clock)
        self.engine = ScriptedEngine(recorder)
        allowed = ImageSettings(directories=(data / "allowed",))
        self.images = Images(data, store, self.blobs, allowed, image_architecture(), SystemClock())
        outside = Outside(
            self.targets,
            self.queues.source,
            self.queues.sink,
            self.vault,
            self.told,
            self.counts,
            self.objects,
            self.alarms,
            self.records,
            self.shards,
        )
        settings = Settings(data, limits=limits or FunctionLimits())
        self.functions = FunctionsService(
            Ground(settings, clock, store, self.queue, self.blobs, self.engine, home, self.roles, outside),
            recorder=recorder,
            streams=streams,
            objects=self.bucket,
            obstacle=self._obstacle,
            images=self.images,
            choose=choose,
            endpoint="http://127.0.0.1:4566",
            host="x86_64",
            async_concurrency=EVENTS_AT_ONCE,
        )
        self.targets.add("lambda", self.functions.event_targets)
        self.wire = FunctionsOnTheWire(self.functions)

    async def start(self) -> None:
        """Functions and their features, as the composition root has them when there are functions."""
        await self.functions.start()
        await self.wire.start()

    async def stop(self, grace_s: float = 5.0) -> None:
        await self.wire.stop(grace_s)
        await self.functions.stop(grace_s)

    async def _obstacle(self, level: str) -> str | None:
        return None if level in self.levels else f"{level} needs a program that is not installed"

    async def call(self, operation: str, headers: Mapping[str, str] | None = None, /, **params: Any) -> Any:
        """The reply of an operation."""
        reply = await self.wire.service.operations[operation](self.context(headers), params)
        check_members(reply, MODEL.operation_model(operation).output_shape, operation)
        return reply

    def context(self, headers: Mapping[str, str] | None = None) -> RequestContext:
        """Of a request of the account's."""
        return RequestContext(
            ids.request_id(), ACCOUNT, REGION, ANONYMOUS, "http://127.0.0.1:4566", headers=headers or {}
        )

    async def refusal(self, operation: str, **params: Any) -> ServiceError:
        """The error that an operation answers."""
        try:
            reply = await self.call(operation, **params)
        except ServiceError as error:
            return error
        raise AssertionError(f"{operation} answered {reply}")

    async def drained(self) -> None:
        """Return once no event waits or runs."""
        async with asyncio.timeout(60):
            await self.queue.empty(PREFIX)

    async def dead(self, name: str = "f", tenant: str = "") -> list[DeadItem]:
        """The events of a function that were given up."""
        return await self.queue.dead(lane_of(name, tenant), 100)

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and let those who wait for it look."""
        self.clock.advance(seconds)
        self.queue.clock_moved()
        self.functions.dispatcher.clock_moved()
        for feature in self.wire.features:
            if isinstance(feature, DurableFunctions):
                feature.ticker.clock_moved()
        self.functions.sweeping.clock_moved()

    async def create(self, name: str = "f", **params: Any) -> Any:
        """A function, with `params` over the usual ones."""
        usual = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Role": ROLE,
            "Code": {"ZipFile": zipped()},
        }
        return await self.call("CreateFunction", **{**usual, **params})
