"""Calls of functions, and what is recorded of them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from mayfly.store.api import Reader

# Made for every call and part of no cycle, so the garbage collector need not look at them.


class LogLines(Struct, frozen=True, array_like=True, gc=False):
    """Lines of one log."""

    group: str
    stream: str
    events: list[tuple[int, str]]  # Unix milliseconds, text


class UsageRecord(Struct, frozen=True, array_like=True, gc=False):
    """What one invocation used. Stored in the order of its fields: new ones come last and have a default."""

    request_id: str
    function_arn: str  # with the version executed
    account: str
    started_at: float  # Unix seconds
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    memory_mb: int
    peak_memory_mb: int
    ephemeral_mb: int
    architecture: str
    outcome: str  # "ok" | "error" | "timeout" | ...
    source: str  # "request" | "event" | "url"
    tenant: str = ""  # on whose behalf, where the function keeps its tenants apart
    qualifier: str = ""  # by which it was called: an alias, a version, $LATEST; empty: by none


class CallRecords(Protocol):
    """Given by the composition root, used by functions: what telemetry and metering keep of calls."""

    def append(self, lines: Sequence[LogLines], usages: Sequence[UsageRecord]) -> None:
        """Record all of them, or none. On return they survive the death of this process.

        `PlatformError` when they cannot be recorded.
        """


class FunctionCall(Struct, frozen=True, gc=False):
    """What an API asks of a function."""

    arn: str  # of the function, version or alias
    payload: bytes  # a JSON text
    request_id: str
    # On whose behalf `apigateway.amazonaws.com` calls, which the function's resource policy has to allow; None: whoever
    # calls has made sure of the right already.
    source_arn: str | None
    trace_id: str | None = None
    tenant: str | None = None  # for functions that keep their tenants apart


@dataclass(frozen=True, slots=True)
class FunctionReply:
    """What a function answered."""

    payload: bytes
    failed: bool  # it raised, died or ran out of time; the payload says so as JSON then
    trace_id: str = ""  # the header of the call's trace
    content_type: str = ""  # of an answer that came in parts and was put together, as the function said


@dataclass(frozen=True, slots=True)
class FunctionStream:
    """What a function answers, as it comes."""

    parts: AsyncIterator[bytes]  # raises `MayflyError` in place of its end where the call failed
    abandon: Callable[[], None]  # nobody reads on; idempotent
    content_type: str = ""  # as the function said; empty where it did not, or answered at once
    trace_id: str = ""


class FunctionCalls(Protocol):
    """Given by functions, used by APIs: calls of functions whose answer is waited for."""

    async def invoke(self, call: FunctionCall) -> FunctionReply:
        """What the function answers. `ServiceError`: there is no such function, it may not be called, it is throttled,
        it cannot start."""

    async def stream(self, call: FunctionCall) -> FunctionStream:
        """Like `invoke`, and returns as soon as the function answers, in parts or whole. Whoever stops reading leaves
        the call running."""


class ProvisionedUse(Protocol):
    """Given by functions, used by autoscaling: how much of what is kept ready is used."""

    async def use(self, function: str, qualifier: str) -> tuple[int, int] | None:
        """How many provisioned instances of a version or alias ran calls at a time, at most, since this was asked last;
        and how many there are. None where none are asked for."""


class CallLedger(Protocol):
    """Given by the composition root, used by functions: the record of every call that ran."""

    async def settle(self) -> None:
        """Return when everything that was recorded before the call is in the database."""

    def position(self, reader: Reader) -> int:
        """The position after the last records."""

    def records_after(self, reader: Reader, position: int, limit: int) -> tuple[int, list[UsageRecord]]:
        """Up to `limit` batches of records that came after `position`, and the position after them."""
