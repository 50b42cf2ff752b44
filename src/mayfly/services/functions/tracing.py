"""The trace that a call is part of: X-Amzn-Trace-Id as it came, or made here; and TracingConfig.

A function that passes through hands on what came, and calls without a trace get one that is not sampled. One that
traces actively decides where nobody has decided yet (`policy.sampling`), and is a segment of its own in a trace that is
sampled: its id is the parent that the function and the REPORT line name. Nothing collects segments yet.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mayfly import ids
from mayfly.clock import Clock
from mayfly.policy import sampling

HEADER = "x-amzn-trace-id"
MOST_FUNCTIONS = 10_000  # of which is known when a call was sampled last; then all are forgotten

_ROOT = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_NAMES_ONE = re.compile(rf"(?:^|;) *Root={_ROOT.pattern} *(?:;|$)")
_SEGMENT = re.compile(r"[0-9a-f]{16}")


class Trace(NamedTuple):
    """What a header says."""

    root: str
    parent: str  # empty where it names none
    sampled: bool | None  # None: nobody has decided
    rest: tuple[str, ...] = ()  # other fields as they came, `Lineage` among them

    @property
    def text(self) -> str:
        fields = [f"Root={self.root}"]
        if self.parent:
            fields.append(f"Parent={self.parent}")
        if self.sampled is not None:
            fields.append(f"Sampled={int(self.sampled)}")
        return ";".join((*fields, *self.rest))


def parse(header: str) -> Trace | None:
    """What a header says; None where it names no trace."""
    root, parent, sampled, rest = "", "", None, []
    for field in header.split(";"):
        name, _, value = field.strip().partition("=")
        if name == "Root" and _ROOT.fullmatch(value):
            root = value
        elif name == "Parent" and _SEGMENT.fullmatch(value):
            parent = value
        elif name == "Sampled" and value in ("0", "1"):
            sampled = value == "1"
        elif name not in ("Root", "Parent", "Sampled", "Self", ""):
            rest.append(field.strip())
    return Trace(root, parent, sampled, tuple(rest)) if root else None


def undecided(header: str | None) -> bool:
    """Whether it is still to be decided if a call is sampled."""
    trace = parse(header) if header else None
    return trace is None or trace.sampled is None


class Traces:
    """Of all calls of one process. `draw` gives a random number from 0 up to 1."""

    def __init__(self, clock: Clock, draw: Callable[[], float]) -> None:
        self._clock = clock
        self._draw = draw
        self._seconds: dict[str, int] = {}

    def of(self, header: str | None, function: str, *, active: bool) -> str:
        """The trace header of one call of `function` that came with `header`."""
        if not active:
            return header if header is not None and _NAMES_ONE.search(header) is not None else self.new()
        came = parse(header) if header else None
        sampled = came.sampled if came is not None else None
        if sampled is None:
            sampled = self._sample(function)
        root = came.root if came is not None else self._root()
        parent = ids.digits(16) if sampled or came is None or not came.parent else came.parent
        return Trace(root, parent, sampled, came.rest if came is not None else ()).text

    def new(self) -> str:
        """A trace that nobody asked for, and that is not sampled therefore."""
        digits = ids.digits(40)
        return f"Root=1-{int(self._clock.now()):08x}-{digits[:24]};Parent={digits[24:]};Sampled=0"

    def _root(self) -> str:
        return f"1-{int(self._clock.now()):08x}-{ids.digits(24)}"

    def _sample(self, function: str) -> bool:
        if len(self._seconds) > MOST_FUNCTIONS:
            self._seconds.clear()
        decided = sampling.decide(self._seconds.get(function, -1), self._clock.now(), self._draw())
        self._seconds[function] = decided.second
        return decided.yes


def active_of(params: Mapping[str, Any], base: bool) -> bool:
    """Whether a function traces whose TracingConfig is now `params`."""
    return bool(params.get("Mode", "Active" if base else "PassThrough") == "Active")


def report(header: str | None) -> str:
    """What the REPORT line of a function that traces says of a call; empty where it is not sampled."""
    trace = parse(header) if header else None
    if trace is None or not trace.sampled:
        return ""
    return f"XRAY TraceId: {trace.root}\tSegmentId: {trace.parent}\tSampled: true\t\n"


def record(header: str | None) -> dict[str, object]:
    """The same as a member of the platform's records in JSON."""
    trace = parse(header) if header else None
    if trace is None or not trace.sampled:
        return {}
    return {"tracing": {"spanId": trace.parent, "type": "X-Amzn-Trace-Id", "value": header}}


# That there is nobody to send segments to, AWS_XRAY_DAEMON_ADDRESS does not deny: it is not set.
VARIABLES = {"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR"}
