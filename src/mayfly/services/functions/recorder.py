"""What becomes of an invocation on the record: log lines, one usage record, and the tail that a caller asked for.

`Recorder` is the engine's observer. It is made before the engine, which is given it; everything it needs to know of a
function travels in the `FunctionTarget`.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, Self

from mayfly.clock import Clock
from mayfly.engine.api import Call, Failure, Outcome, Phase, Target
from mayfly.services.functions import report, tracing
from mayfly.services.functions.engine_targets import FunctionTarget
from mayfly.services.functions.held import Held
from mayfly.services.functions.log_streams import Streams
from mayfly.services.functions.logs import records
from mayfly.services.functions.names import Home
from mayfly.services.functions.runtimes import runtime_version_arn
from mayfly.services.ports import LogLines, UsageRecord

TAIL_BYTES = 4096
Source = Literal["request", "event", "url"]


class Watch:
    """Collects the tail of a call's log, while its context is open."""

    __slots__ = ("_lines", "_request_id", "_size", "_watches")

    def __init__(self, watches: "dict[str, Watch]", request_id: str) -> None:
        self._watches = watches
        self._request_id = request_id
        self._lines: deque[bytes] = deque()
        self._size = 0

    def __enter__(self) -> Self:
        self._watches[self._request_id] = self
        return self

    def __exit__(self, *_: object) -> None:
        self._watches.pop(self._request_id, None)

    def add(self, lines: Sequence[str]) -> None:
        """Keep lines as long as they are among the last `TAIL_BYTES`."""
        for line in lines:
            encoded = line.encode("utf-8", "replace")
            self._lines.append(encoded)
            self._size += len(encoded)
            while self._size - len(self._lines[0]) >= TAIL_BYTES:
                self._size -= len(self._lines.popleft())

    def tail(self) -> bytes:
        """The last 4 KB of the call's log."""
        return b"".join(self._lines)[-TAIL_BYTES:]


class Recorder:
    """The engine's `Observer`. Whoever acknowledges a call calls `write` first.

    `throttled` is called with the name of a function when a call of it was refused because of a limit.
    """

    def __init__(
        self,
        held: Held,
        home: Home,
        streams: Streams,
        clock: Clock,
        throttled: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._held = held
        self.throttled = throttled
        self.write = held.write
        self._home = home
        self._streams = streams
        self._clock = clock
        self._watches: dict[str, Watch] = {}
        self._started: dict[str, float] = {}  # by request: wall-clock, until it finished
        self._introduced: set[str] = set()  # instances whose log has begun

    def watching(self, request_id: str) -> Watch:
        """Collect the tail of the log of the call `request_id`, while the context is open."""
        return Watch(self._watches, request_id)

    def stream_of(self, target: FunctionTarget, instance: str) -> str:
        """The name of the log stream of an instance."""
        return self._streams.of(instance, target.version, target.log_owner)

    def adopt(self, instance: str) -> None:
        """The log of an instance began elsewhere, and goes on here until `forget`."""
        self._introduced.add(instance)

    def forget(self, instance: str) -> None:
        """It goes on elsewhere."""
        self._introduced.discard(instance)
        self._streams.forget(instance)

    def began(self, target: Target, instance: str, at: float, *, restored: bool) -> None:
        assert isinstance(target, FunctionTarget)
        self._introduce(target, instance, at, restored=restored)

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
        assert isinstance(target, FunctionTarget)
        now = self._clock.now()
        if target.logs is None:
            text = report.restore_report(took_ms, failure) if restored else report.init_report(took_ms, failure, phase)
            events = [(int(now * 1000), text)]
        else:
            events = records.init_report(target, took_ms, failure, now, restored=restored, phase=phase)
        if events:
            self._held.add(None, self._lines(target, instance, events))

    def started(self, target: Target, instance: str, call: Call) -> None:
        assert isinstance(target, FunctionTarget)
        now, request_id = self._clock.now(), call.request_id
        self._started[request_id] = now
        if instance not in self._introduced:
            self._introduce(target, instance, now)
        if target.logs is None:
            events = [(int(now * 1000), report.start(request_id, target.version))]
        elif not (events := records.start(target, call, now)):
            return
        if self._watches and (watch := self._watches.get(request_id)):
            watch.add([text for _, text in events])
        self._held.begin(request_id, self._lines(target, instance, events))

    def output(self, target: Target, instance: str, call: Call | None, lines: list[tuple[float, str]]) -> None:
        assert isinstance(target, FunctionTarget)
        if instance not in self._introduced:
            self._introduce(target, instance, lines[0][0] if lines else self._clock.now())
        if target.logs is None:
            events = [(int(time * 1000), f"{text}\n") for time, text in lines]
        elif not (events := records.printed(target, lines)):
            return
        if call is not None and (watch := self._watches.get(call.request_id)):
            watch.add([text for _, text in events])
        self._held.add(call.request_id if call is not None else None, self._lines(target, instance, events))

    def finished(self, target: Target, call: Call, outcome: Outcome) -> None:
        assert isinstance(target, FunctionTarget)
        now, request_id = self._clock.now(), call.request_id
        took = report.figures(outcome, target.timeout_s, target.sandbox.memory_mb)
        if target.logs is None:
            events = self._last_lines(target, call, outcome, took, now)
        else:
            events = records.endings(target, call, outcome, took, now)
        watch = self._watches.get(request_id) if self._watches else None
        if watch is not None:
            watch.add([text for _, text in events])
        record = self._record(target, call, outcome, took, now)
        stream = self._streams.of(outcome.instance, target.version, target.log_owner)
        self._held.end(request_id, target.log_group, stream, events, record)

    def _last_lines(
        self, target: FunctionTarget, call: Call, outcome: Outcome, took: report.Figures, now: float
    ) -> list[tuple[int, str]]:
        """What ends the log of a call, as text."""
        now_ms, failure, request_id = int(now * 1000), outcome.failure, call.request_id
        last = report.report(request_id, took, target.sandbox.memory_mb, failure)
        if target.traced:
            last += tracing.report(call.trace_id)
        events = [(now_ms, report.end(request_id)), (now_ms, last)]
        if failure is not None:
            if failure.kind in ("restore-raised", "restore-timeout"):
                events.insert(0, (now_ms, report.restore_report(outcome.init_ms or 0.0, failure)))
            death = report.cause_of_death(request_id, failure, target.timeout_s, now)
            if death is not None:
                events.insert(0, (now_ms, death))
        return events

    def terminated(self, target: Target, instance: str, reason: str) -> None:
        self.forget(instance)

    def _introduce(self, target: FunctionTarget, instance: str, now: float, *, restored: bool = False) -> None:
        """Begin the log of an instance that has none yet."""
        self._introduced.add(instance)
        now_ms = int(now * 1000)
        events = []
        version = runtime_version_arn(target.runtime, self._home.region) if target.runtime else ""
        if target.logs is not None:
            stream = self._streams.of(instance, target.version, target.log_owner)
            events = records.introduction(target, stream, version, now, restored=restored)
        else:
            if version:  # an image brings its own
                first = report.init_start(target.sandbox.runtime or target.runtime, version, restored=restored)
                events.append((now_ms, first))
            if target.notice:
                events.append((now_ms, f"MAYFLY {target.notice}\n"))
        if events:
            self._held.add(None, self._lines(target, instance, events))

    def _lines(self, target: FunctionTarget, instance: str, events: list[tuple[int, str]]) -> LogLines:
        return LogLines(target.log_group, self._streams.of(instance, target.version, target.log_owner), events)

    def _record(
        self,
        target: FunctionTarget,
        call: Call,
        outcome: Outcome,
        took: report.Figures,
        now: float,
    ) -> UsageRecord:
        request_id = call.request_id
        return UsageRecord(
            request_id=request_id,
            function_arn=f"{target.function}:{target.version}",
            account=target.account,
            started_at=self._started.pop(request_id, now),
            duration_ms=took.duration_ms,
            billed_ms=took.billed_ms,
            init_ms=took.init_ms if took.restore_ms is None else took.restore_ms,
            memory_mb=target.sandbox.memory_mb,
            peak_memory_mb=took.peak_memory_mb,
            ephemeral_mb=target.ephemeral_mb,
            architecture=target.architecture,
            outcome=outcome_name(outcome),
            source=call.source or "request",
            tenant=target.tenant,
            qualifier=call.arn[len(target.function) + 1 :] if call.arn.startswith(target.function) else "",
        )


def outcome_name(outcome: Outcome) -> str:
    """An outcome as usage records name it."""
    if outcome.failure is None:
        return "ok"
    kind = outcome.failure.kind
    if kind in ("raised", "init-raised", "restore-raised"):
        return "error"
    return "timeout" if kind in ("init-timeout", "restore-timeout") else kind
