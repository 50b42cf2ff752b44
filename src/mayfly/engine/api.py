"""What the engine promises to those who have functions to run. It knows nothing of AWS.

`services/functions` turns its functions into `Target`s, calls `Engine.invoke`, and shapes what comes back. What an
instance prints, and what becomes of it, goes to an `Observer` as it happens.
"""

import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from mayfly.engine.streamed import Streamed
from mayfly.errors import CallerError, PlatformError
from mayfly.policy.scaling import Scope
from mayfly.sandbox.api import SandboxSpec

_LIMITS: dict[Scope, str] = {
    "function": "the function's limit of {} concurrent calls is reached",
    "function-rate": "the function's limit of {} calls a second is reached",
    "scaling": "the function's instances become more than {} faster than they may",
    "instances": "the version's limit of {} instances is reached",
    "fleet": "the limit of {} processors for all instances of its capacity provider is reached",
    "account": "the account's limit of {} concurrent calls is reached",
    "account-rate": "the account's limit of {} calls a second is reached",
    "memory": "there is no memory for one more instance; all of it is enough for {}",
    "processors": "the processors are busy starting {} other instances",
}


class ThrottledError(CallerError):
    """The call was not accepted, or waited for too long. `scope` says whose limit of what it was."""

    def __init__(self, scope: Scope, limit: int, retry_after_s: float | None = None) -> None:
        super().__init__(_LIMITS[scope].format(limit))
        self.scope = scope
        self.limit = limit
        self.retry_after_s = retry_after_s  # when it is of use to try again, where that is known


class EngineClosedError(PlatformError):
    """The engine is shutting down: nothing was started, or the grace ended before the call did."""


@dataclass(frozen=True, slots=True)
class Target:
    """One version of one function's code and configuration. Instances are shared among equal `key`s only."""

    key: str  # changes whenever anything below changes
    function: str  # groups targets under one concurrency limit: the unqualified ARN
    sandbox: SandboxSpec
    handler: str
    timeout_s: float
    # Called once an instance with the instance's id, just before it starts: variables, fresh credentials among them.
    environment: Callable[[str], Awaitable[Mapping[str, str]]]
    reserved_concurrency: int | None = None
    most_instances: int | None = None  # of this target; None: as many as limits and memory allow
    fleet: str = (
        ""  # with whose instances its own share a limit on processors; empty: with nobody's. See `Engine.limit`
    )
    # How many calls an instance may run at a time, if its runtime and handler can; those that cannot run one.
    concurrency: int = 1
    # Instances may start from a template that was forked after init; see `Engine.prepare`.
    snap_start: bool = False
    # That they can is known from before, so they wait for their template where it must be made again.
    optimized: bool = False
    # Names of variables that differ between instances, or that expire: nothing that instances share gets to see them.
    per_instance: frozenset[str] = frozenset()
    # Of the processors that its sandbox has, what an instance has once it is ready; see `policy.processors`. None: all.
    cpus: float | None = None
    # How its instances are spoken to. "program": executables that come to the Runtime API; the sandbox is one for them.
    contract: Literal["frames", "program"] = "frames"
    command: tuple[str, ...] = ()  # of a program: what to execute; empty: the `bootstrap` that the code or a layer has
    directory: str = ""  # of a program: where it begins; empty: where the code is
    freezes: bool = True  # whether what has nothing to do may be stopped; not where a debugger speaks to it
    # Whose calls its instances serve, where they serve those of one tenant alone; part of `key` then.
    tenant: str = ""
    # The key of what targets share that differ in their tenant: templates, which no call has seen. Empty: `key`.
    family: str = ""

    @property
    def shared_key(self) -> str:
        """What templates and spares are kept by, and what `Engine.retire` is told."""
        return self.family or self.key


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Instances of one target that are kept ready."""

    wanted: int
    available: int  # initialized, whether they run a call or wait for one
    failure: str | None  # why the last attempt to make one failed; None after one that did not


@dataclass(frozen=True, slots=True)
class Prepared:
    """Whether instances of a target start from a template that was forked after init."""

    optimized: bool
    reason: str = ""  # why they do not
    failure: "Failure | None" = None  # init itself failed: no instance can start


@dataclass(frozen=True, slots=True)
class TemplateView:
    """The shared template of a target at a moment."""

    state: Literal["making", "ready", "refused", "lost", "dropped"]
    reason: str  # why not, if it is not


class Call(msgspec.Struct, frozen=True, gc=False):
    """One invocation."""

    request_id: str
    payload: bytes
    arn: str  # as the caller named it: becomes context.invoked_function_arn
    trace_id: str | None = None
    client_context: str | None = None  # JSON text
    identity: str | None = None  # JSON text
    tenant: str | None = None  # on whose behalf
    rated: bool = True  # whether it counts against limits on calls a second: somebody waits for the answer
    source: str = ""  # whatever the observer is to know of where it comes from


FailureKind = Literal[
    "raised",
    "init-raised",
    "restore-raised",  # what an instance does after it was forked from behind its init failed, or took too long
    "timeout",
    "init-timeout",
    "restore-timeout",
    "out-of-memory",
    "exited",
    "protocol",
    "stopped",  # somebody did not want it any more
]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call has no result. The kinds that end in `raised` carry the error object that the runtime made."""

    kind: FailureKind
    payload: bytes = b""  # JSON error object of the runtime; empty for the kinds where the runtime could not speak
    exit_status: int | None = None
    signal: int | None = None
    # Where the platform itself knows what went wrong with a program: AWS's name of that, and a sentence.
    error_type: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Import:
    """One module that an init imported. The function's own word."""

    module: str
    path: str
    total_us: int
    own_us: int  # without what it imported


# What an instance was started from, the slowest first: see "Starting an instance" in the design.
StartPath = Literal["process", "interpreter", "packages", "function", "spare", "pool"]


@dataclass(frozen=True, slots=True)
class Start:
    """How one instance was started, and how long each step took; the rest of a cold call is in its `Outcome`."""

    path: StartPath
    sandbox_ms: float  # from the decision until its runtime could be spoken to, variables and credentials included
    runtime_ms: float  # from then until it was ready, without `restore_ms` and `init_ms`
    restore_ms: float  # what a fork of a template does before the function's code
    init_ms: float  # the function's own code
    imports: tuple[Import, ...]  # during `init_ms`, in the order of their completion
    restored: bool = False  # forked from after its init, also by way of a spare: `init_ms` is that of its hooks

    @property
    def total_ms(self) -> float:
        """From the decision until the handler could run."""
        return self.sandbox_ms + self.runtime_ms + self.restore_ms + self.init_ms


class Outcome(msgspec.Struct, frozen=True):
    """What became of one call."""

    payload: bytes  # the result's JSON text; empty on failure
    failure: Failure | None
    instance: str  # its id: one log stream an instance
    cold: bool
    duration_ms: float  # of the handler alone; after an init that ran out of time and was repeated: with the second
    init_ms: float | None  # on a cold start: the init phase; None when it was repeated within `duration_ms`
    queued_ms: float  # waiting for an instance, its start included
    peak_memory_bytes: int
    start: Start | None = None  # of the instance, on its first call if that found it not ready
    content_type: str = ""  # of a payload that came in parts, as the function said


# Where an init ran: ahead of the call that it is for, or, repeated, within it.
Phase = Literal["init", "invoke"]


class Observer(Protocol):
    """Told what happens, in order, per instance; called on the event loop and must neither block nor raise."""

    def began(self, target: Target, instance: str, at: float, *, restored: bool) -> None:
        """Init begins at `at` (Unix seconds), before all else that is told of an instance.

        `restored`: init was run before, in a template, and what began at `at` is the making of a copy. A template is
        told of like an instance that ends after its init.
        """

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
        """An instance was restored, or an init has ended: of a template, ahead of all calls, or one that failed and was
        to be repeated, or had been. All of its output was reported before.

        Of any other init within an instance, and of a restore that fails, its first call tells.
        """

    def started(self, target: Target, instance: str, call: Call) -> None:
        """The handler begins, or init failed and the call with it: `finished` always has a `started` before it."""

    def output(self, target: Target, instance: str, call: Call | None, lines: list[tuple[float, str]]) -> None:
        """Complete lines that an instance printed (Unix seconds, text); `call` is None between calls.

        What init prints belongs to the call that the instance was started for, and comes before its `started`.
        """

    def finished(self, target: Target, call: Call, outcome: Outcome) -> None:
        """A call ended; all of its output was reported before."""

    def terminated(self, target: Target, instance: str, reason: str) -> None:
        """An instance is gone; also one that could not be started, if its environment was asked for."""


# Serves the platform's API to one instance: called with the listening socket inside its sandbox, before its code runs;
# accepts connections on it until what was returned is called, which closes the socket. Neither may block.
EndpointServer = Callable[[Target, str, socket.socket], Callable[[], None]]


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance at a moment."""

    id: str
    state: str  # a value of `states.State`
    age_s: float
    idle_s: float | None  # since its last call; None unless idle or frozen
    calls: int  # that ended
    memory_mb: int  # what it may use


@dataclass(frozen=True, slots=True)
class PoolView:
    """The instances of one target at a moment."""

    key: str  # that of its family
    function: str
    waiting: int  # calls queued for an instance
    instances: tuple[InstanceView, ...]
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Counters:
    """What happened since the engine was made."""

    calls: int  # accepted
    cold_starts: int  # instances started
    start_failures: int  # instances that could not be started
    throttles: int  # calls refused, at once or after they waited
    evictions: int  # idle instances ended to make room
    expirations: int  # idle instances ended because nobody called them
    waits: int  # calls that waited for memory or for their turn to start an instance
    waited_ms: float  # all of them together, until they got an instance or were refused
    yields: int  # instances ended although calls waited for them, because another function was owed their memory
    provisioned_calls: int  # on instances that were provisioned
    spillovers: int  # calls of a target with provisioned instances that were all busy
    throttled: Mapping[Scope, int]  # the throttles, by whose limit it was


@dataclass(frozen=True, slots=True)
class FunctionCounters:
    """The same of one function, as far as it is counted."""

    cold_starts: int = 0
    evictions: int = 0  # its own idle instances, for others
    waits: int = 0
    waited_ms: float = 0.0
    yields: int = 0
    provisioned_calls: int = 0
    spillovers: int = 0
    throttled: Mapping[Scope, int] = field(default_factory=dict)


class Engine(Protocol):
    """Runs calls on instances."""

    async def invoke(self, target: Target, call: Call, into: Streamed | None = None) -> Outcome:
        """Run one call to its end. Function failures are outcomes; `ThrottledError`, `PlatformError` are raised.

        A result that the runtime sends in parts goes `into` what is given, and the outcome's payload is empty then;
        without it, the parts are collected. Cancelling the caller does not cancel the call: user code that began runs
        to its end or its timeout.
        """

    def stop(self, request_id: str) -> bool:
        """End a call that runs: its outcome is the failure "stopped", and where its instance ran nothing else, that
        ends with it. False for a call that waits for an instance, or in one, or that nobody knows."""

    def retire(self, key: str) -> None:
        """No new call for this target's instances: idle ones end now, busy ones after their call. Idempotent.

        Where `key` is that of a family, it is about the targets of all its tenants.
        """

    def reserve(self, function: str, concurrency: int | None) -> None:
        """Set a function's own limit, taken out of the account's; None: it shares what the account has left.

        A `Target` that carries `reserved_concurrency` sets it too; this tells of functions before their first call.
        """

    def provision(self, target: Target, instances: int) -> None:
        """Keep this many initialized instances of `target` from now on; 0: none any more.

        They are started ahead of calls, which get them first; never evicted, and replaced when they end. They count
        against the limit of the function, or of the account, as long as they are wanted, and so the calls that they
        serve do not. Calls beyond them run on other instances, within what the limits leave. `target` may differ from
        that of the calls in its `environment`. `retire` ends them and keeps no more.
        """

    def provisioned(self, key: str) -> Provisioned | None:
        """How that stands; None when nothing is provisioned for this target."""

    def peak(self, key: str) -> int:
        """The most of them that ran calls at a time, since this was asked last."""

    def bound(self, key: str, instances: int | None) -> None:
        """No more than this many instances of a target from now on; None: any number.

        Of those that are too many, idle ones end now and busy ones after their calls. A call for which there may be no
        instance is refused. A `Target` that the engine has not met carries the number itself.
        """

    def limit(self, fleet: str, processors: float | None) -> None:
        """All instances of a fleet together may use so many processors from now on; None: any number.

        Idle ones that are too many end now. A call for which there may be no instance, also if idle ones of others of
        the fleet end, is refused.
        """

    async def prepare(self, target: Target) -> Prepared:
        """Make what instances of a target with `snap_start` start from, running its init once.

        Where that cannot be had, says why, and instances start as they do without.
        """

    def template(self, key: str) -> TemplateView | None:
        """How it stands with a target's shared template; None when none was thought of."""

    def snapshot(self) -> tuple[PoolView, ...]:
        """All instances, by target."""

    def counters(self) -> Counters: ...

    def counters_of(self, function: str) -> FunctionCounters:
        """Those of one function, which may be unknown."""

    async def close(self, grace_s: float) -> None:
        """Refuse new calls, let running ones finish for `grace_s`, then end everything."""
