"""Runs one function once: the way that all invocations take, whoever asked.

Payload in, `Invocation` out; function failures are results. Throttles and the platform's own failures are raised as
the engine's errors; callers give them their wire form, or try again.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from mayfly.engine.api import Call, FailureKind, Outcome, Target, ThrottledError
from mayfly.engine.streamed import Streamed, Upstream
from mayfly.errors import PlatformError
from mayfly.policy.scaling import Scope
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults, recursion, results
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.catalog import Entry
from mayfly.services.functions.engine_targets import FunctionTarget
from mayfly.services.functions.recorder import Recorder
from mayfly.services.functions.tracing import Traces
from mayfly.settings import FunctionLimits

# AWS does not publish which reason it gives when a function grows too fast; its concurrency is what cannot rise then.
_REASONS: dict[Scope, str] = {
    "function": "ReservedFunctionConcurrentInvocationLimitExceeded",
    "function-rate": "ReservedFunctionInvocationRateLimitExceeded",
    "scaling": "ConcurrentInvocationLimitExceeded",
    "fleet": "ConcurrentInvocationLimitExceeded",
    "instances": "ConcurrentInvocationLimitExceeded",
    "account": "ConcurrentInvocationLimitExceeded",
    "account-rate": "FunctionInvocationRateLimitExceeded",
    "memory": "ConcurrentInvocationLimitExceeded",
    "processors": "ConcurrentInvocationLimitExceeded",
}
_json = msgspec.json.Decoder(msgspec.Raw)  # checks syntax without building anything


class NotInvocableError(PlatformError):
    """The version is not active: it is being made ready, or that failed."""

    def __init__(self, target: FunctionTarget) -> None:
        super().__init__(f"version {target.version} of {target.name} is in the state {target.state}")
        self.state = target.state
        self.snap_start = target.snap_start


class Invocation(msgspec.Struct, frozen=True):
    """What came of it."""

    result: results.Result
    tail: bytes  # empty unless asked for
    version: str  # that ran
    failure: FailureKind | None = None
    content_type: str = ""  # of an answer that came in parts and was put together, as the function said
    durable_arn: str | None = None  # of the execution that the call started or found
    trace_id: str = ""  # the header of the call's trace
    log_stream: str = ""  # of events only


class Flow:
    """A call that answers. Its parts are read once, and `end` tells what came of it."""

    def __init__(
        self, version: str, came: Invocation | Streamed, running: asyncio.Task[Invocation], trace_id: str
    ) -> None:
        """`came` in parts, or whole, where the call has ended."""
        self.version = version  # that runs
        self.trace_id = trace_id
        self.whole = came if isinstance(came, Invocation) else None
        self._streamed = came if isinstance(came, Streamed) else None
        self._running = running

    @property
    def content_type(self) -> str:
        """Of an answer that comes in parts, as the function said; empty where it did not."""
        return self._streamed.content_type if self._streamed is not None else ""

    @property
    def upstream(self) -> Upstream | None:
        """Where bytes of another protocol go that the caller has asked for."""
        return self._streamed.upstream if self._streamed is not None else None

    async def parts(self) -> AsyncIterator[bytes]:
        """The answer as it comes; of a call that failed, what came before it did."""
        if self._streamed is not None:
            async for part in self._streamed:
                yield part
        elif self.whole is not None and not self.whole.result.failed:
            yield self.whole.result.payload

    def abandon(self) -> None:
        """Nobody reads on. Idempotent."""
        if self._streamed is not None:
            self._streamed.abandon()

    async def end(self) -> Invocation:
        """After the last part; `PlatformError` when the platform lost the call."""
        return await asyncio.shield(self._running)


class Runs(Protocol):
    """The engine, or what stands for it: see `engine.api.Engine.invoke`."""

    async def invoke(self, target: Target, call: Call, into: Streamed | None = None) -> Outcome: ...


class Durables(Protocol):
    """Those who call a durable function; see `durable.calls`."""

    async def invoke(self, entry: Entry, asked: Asked) -> Invocation: ...


class Invoker:
    """Runs functions on the engine, durable ones through what `bind_durable` was given."""

    def __init__(
        self,
        engine: Runs,
        recorder: Recorder,
        limits: FunctionLimits,
        traces: Traces,
        dropped: Callable[[str], None] = lambda name: None,
    ) -> None:
        """`dropped` is told the name of a function whose call was one too many in a loop."""
        self._dropped = dropped
        self._engine = engine
        self._recorder = recorder
        self._limits = limits
        self._traces = traces
        self._streaming: set[asyncio.Task[Invocation]] = set()  # held, so that they run to their end
        self._durables: Durables | None = None

    def bind_durable(self, durables: Durables) -> None:
        """Have calls of durable functions made by `durables`."""
        self._durables = durables

    async def invoke(self, entry: Entry, asked: Asked) -> Invocation:
        """Run the function to its end; `ThrottledError`, `NotInvocableError`, other `PlatformError`s.

        Of a durable function: start an execution, or find it; `ServiceError` when that cannot be.
        """
        self._refuse_loops(entry, asked)
        if self._durables is not None and entry.function.configuration.durable is not None:
            return await self._durables.invoke(entry, asked)
        if asked.durable_name is not None:
            raise faults.invalid_parameter("DurableExecutionName is for durable functions, and this is none.")
        return await self.run(entry, asked)

    async def run(self, entry: Entry, asked: Asked) -> Invocation:
        """Run the function once, whatever it is; raises as `invoke` does."""
        target = self._ready(entry.pick(), asked)
        call = self._call(target, asked)
        try:
            if not asked.tail:
                outcome = await self._engine.invoke(target, call)
                kept = b""
            else:
                with self._recorder.watching(asked.request_id) as watch:
                    outcome = await self._engine.invoke(target, call)
                    kept = watch.tail()
        except ThrottledError:
            self._recorder.throttled(target.name)
            raise
        self._recorder.write()
        return self._invocation(target, call, outcome, kept)

    async def stream(self, entry: Entry, asked: Asked, *, tunnel: bool = False) -> Flow:
        """Run the function, and return as soon as it answers, in parts or whole; raises what `invoke` raises.

        Whoever stops reading leaves the call running, as on AWS. With `tunnel`, the caller asks for another protocol.
        """
        self._refuse_loops(entry, asked)
        if self._durables is not None and entry.function.configuration.durable is not None:
            ended = asyncio.create_task(self._durables.invoke(entry, asked), name=f"stream-{asked.request_id}")
            whole = await ended
            return Flow(whole.version, whole, ended, whole.trace_id)
        target = self._ready(entry.pick(), asked)
        call = self._call(target, asked)
        streamed = Streamed(sys.maxsize, Upstream()) if tunnel else Streamed(self._limits.stream_bytes)
        task = asyncio.create_task(
            self._run(target, call, streamed, tail=asked.tail), name=f"stream-{asked.request_id}"
        )
        self._streaming.add(task)
        task.add_done_callback(self._streaming.discard)
        try:
            begun = await streamed.begun()
        except BaseException:
            streamed.abandon()  # nobody will read it
            raise
        if not begun:
            return Flow(target.version, await task, task, call.trace_id or "")
        return Flow(target.version, streamed, task, call.trace_id or "")

    async def _run(self, target: FunctionTarget, call: Call, into: Streamed, *, tail: bool) -> Invocation:
        try:
            with self._recorder.watching(call.request_id) as watch:
                outcome = await self._engine.invoke(target, call, into)
                kept = watch.tail() if tail else b""
            self._recorder.write()
        except ThrottledError:
            self._recorder.throttled(target.name)
            raise
        finally:
            into.end()
        invocation = self._invocation(target, call, outcome, kept)
        if into.too_large and not invocation.result.failed:
            return msgspec.structs.replace(invocation, result=results.too_large(self._limits.stream_bytes))
        return invocation

    def drops(self, entry: Entry, header: str | None) -> bool:
        """Whether a call that comes with `header` is one too many in a loop; it is counted then."""
        if entry.function.allows_loops or recursion.turns(header, entry.target.function) < recursion.MOST:
            return False
        self._dropped(entry.function.name)
        return True

    def _refuse_loops(self, entry: Entry, asked: Asked) -> None:
        """`ServiceError` RecursiveInvocationException; requests to function URLs come from clients of all kinds."""
        if asked.source != "url" and self.drops(entry, asked.trace_id):
            raise recursion.fault()

    def _call(self, target: FunctionTarget, asked: Asked) -> Call:
        return Call(
            asked.request_id,
            asked.payload,
            asked.arn,
            recursion.entered(self._traces.of(asked.trace_id, target.name, active=target.traced), target.function),
            asked.client_context,
            tenant=asked.tenant,
            rated=asked.source != "event",
            source=asked.source,
        )

    def _ready(self, target: FunctionTarget, asked: Asked) -> FunctionTarget:
        if target.reserved_concurrency == 0:
            self._recorder.throttled(target.name)
            raise ThrottledError("function", 0)
        if target.state != "Active":
            raise NotInvocableError(target)
        return target.of_tenant(asked.tenant) if asked.tenant else target

    def _invocation(self, target: FunctionTarget, call: Call, outcome: Outcome, tail: bytes) -> Invocation:
        result = results.result(outcome, call.request_id, target.timeout_s, self._limits.payload_bytes)
        failure = outcome.failure.kind if outcome.failure is not None else None
        stream = self._recorder.stream_of(target, outcome.instance) if call.source == "event" else ""
        return Invocation(
            result,
            tail,
            target.version,
            failure,
            outcome.content_type,
            trace_id=call.trace_id or "",
            log_stream=stream,
        )

    def trace_of(self, entry: Entry, header: str | None) -> str:
        """The trace of a call that came with `header`, for whoever needs to know it before the call."""
        return self._traces.of(header, entry.target.name, active=entry.target.traced)


def throttle_fault(error: ThrottledError) -> ServiceError:
    """The wire form of the engine's refusal."""
    known_to_aws = error.scope in {"function", "function-rate", "account", "account-rate", "scaling"}
    detail = "" if known_to_aws else f"On this machine, {error}."
    return faults.throttled(_REASONS[error.scope], error.retry_after_s, detail)


def not_invocable_fault(error: NotInvocableError) -> ServiceError:
    """The wire form of calling a version that is not active."""
    if error.state == "Pending" and error.snap_start:
        return faults.snap_start_not_ready()
    return faults.wrong_state(error.state)


def restore_fault(failure: FailureKind | None) -> ServiceError | None:
    """The wire form of an instance that could not be restored from after its init; None for all else."""
    if failure == "restore-raised":
        return faults.snap_start_failed()
    return faults.snap_start_timeout() if failure == "restore-timeout" else None


def check_json(payload: bytes) -> bytes:
    """The payload, `{}` for an empty one; `ServiceError` InvalidRequestContentException when it is not JSON."""
    if not payload:
        return b"{}"
    try:
        _json.decode(payload)
        if not payload.isascii():
            payload.decode()
    except UnicodeDecodeError as error:
        raise faults.invalid_content(
            "Could not parse request body into json: Could not parse payload into json: "
            f"Invalid UTF-8 start byte 0x{payload[error.start]:02x} at byte {error.start}"
        ) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise faults.invalid_content(
            f"Could not parse request body into json: Could not parse payload into json: {error}"
        ) from error
    return payload
