"""The book of starts: what every instance's start took, by function. In memory, and lost when the server ends.

It stands between the engine and the observer that keeps logs and usage, and hands everything on. The starts recorded
are those that a call waited for; instances made ahead of calls, like provisioned ones, are not among them.
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field

from mayfly.app.imports import Imported, heaviest
from mayfly.clock import Clock
from mayfly.engine.api import Call, Failure, Observer, Outcome, Phase, Start, StartPath, Target

# Of each function so many starts are kept, and of one of them so many modules; of so many functions, the ones that
# started last. At worst some 100 kB a function.
MOST_STARTS, MOST_IMPORTS, MOST_FUNCTIONS = 100, 100, 500
FAILED = "failed"  # counted beside the paths: the call ended, and the instance had never been ready


@dataclass(frozen=True, slots=True)
class StartRecord:
    """A call that waited for an instance to start. All but the last of the times follow one another."""

    at: float  # when the call ended; Unix seconds
    version: str
    instance: str
    request_id: str
    path: StartPath
    queue_ms: float
    sandbox_ms: float
    runtime_ms: float
    restore_ms: float
    init_ms: float
    handler_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """What the latest start without a template imported, the heaviest modules only."""

    at: float
    version: str
    init_ms: float
    modules: int  # that were imported altogether
    heaviest: tuple[Imported, ...]


@dataclass(slots=True)
class FunctionStarts:
    """One function's page of the book."""

    counts: Counter[str] = field(default_factory=Counter)  # by path, since the server started
    recent: deque[StartRecord] = field(default_factory=lambda: deque(maxlen=MOST_STARTS))  # the last one is the latest
    imports: ImportRecord | None = None


class StartBook:
    """The engine's `Observer`, in front of another one."""

    def __init__(self, observer: Observer, clock: Clock) -> None:
        self._observer = observer
        self.started = observer.started  # nothing of these is kept here
        self.output = observer.output
        self.terminated = observer.terminated
        self._clock = clock
        self._functions: OrderedDict[str, FunctionStarts] = OrderedDict()
        self.counts: Counter[str] = Counter()  # of all functions, those forgotten since included
        self.since = clock.now()

    def of(self, function: str) -> FunctionStarts:
        """The page of a function, by its unqualified ARN; an empty one when nothing of it started lately."""
        return self._functions.get(function) or FunctionStarts()

    def began(self, target: Target, instance: str, at: float, *, restored: bool) -> None:
        self._observer.began(target, instance, at, restored=restored)

    def initialized(
        self,
        target: Target,
        instance: str,
        took_ms: float,
        failure: Failure | None,
        *,
        restored: bool,
        phase: Phase = "init",
    ) -> None:
        self._observer.initialized(target, instance, took_ms, failure, restored=restored, phase=phase)

    def finished(self, target: Target, call: Call, outcome: Outcome) -> None:
        if outcome.cold:
            self._note(target, call, outcome)
        self._observer.finished(target, call, outcome)

    def _note(self, target: Target, call: Call, outcome: Outcome) -> None:
        page = self._functions.setdefault(target.function, FunctionStarts())
        self._functions.move_to_end(target.function)
        if len(self._functions) > MOST_FUNCTIONS:
            self._functions.popitem(last=False)
        start = outcome.start
        path = start.path if start is not None else FAILED
        page.counts[path] += 1
        self.counts[path] += 1
        if start is None:
            return
        now, version = self._clock.now(), getattr(target, "version", "")
        page.recent.append(record(now, version, call.request_id, outcome, start))
        if start.path == "interpreter" or (start.path == "process" and start.imports):
            modules = heaviest(start.imports, MOST_IMPORTS)
            page.imports = ImportRecord(now, version, start.init_ms, len(start.imports), modules)


def only(page: FunctionStarts, version: str) -> FunctionStarts:
    """What a page has of one version: of the starts that are kept, for those that failed belong to none. Pure."""
    recent = deque((start for start in page.recent if start.version == version), maxlen=MOST_STARTS)
    imports = page.imports if page.imports is not None and page.imports.version == version else None
    return FunctionStarts(Counter(start.path for start in recent), recent, imports)


def record(at: float, version: str, request_id: str, outcome: Outcome, start: Start) -> StartRecord:
    """The account of one cold call. Pure.

    The making of the sandbox is part of the time that the outcome calls queued. When init ran out of time and was
    repeated, the outcome's duration holds what follows it, init and all; else it is the handler's.
    """
    initialized_ms = start.runtime_ms + start.restore_ms + start.init_ms
    queue_ms = max(0.0, outcome.queued_ms - start.sandbox_ms)
    repeated = outcome.init_ms is None
    handler_ms = max(0.0, outcome.duration_ms - initialized_ms) if repeated else outcome.duration_ms
    return StartRecord(
        at=at,
        version=version,
        instance=outcome.instance,
        request_id=request_id,
        path=start.path,
        queue_ms=queue_ms,
        sandbox_ms=start.sandbox_ms,
        runtime_ms=start.runtime_ms,
        restore_ms=start.restore_ms,
        init_ms=start.init_ms,
        handler_ms=handler_ms,
        total_ms=queue_ms + start.sandbox_ms + initialized_ms + handler_ms,
    )
