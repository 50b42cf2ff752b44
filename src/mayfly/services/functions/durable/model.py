"""The domain types of durable executions. Frozen: a transition makes a new value, the repository stores it.

Times are Unix seconds. Payloads are text, as the model of the wire has it; mostly, but not necessarily, JSON.
"""

from typing import Any, Literal

import msgspec

from mayfly.services.functions.model import Durable

Status = Literal["RUNNING", "PAUSING", "PAUSED", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING"]
OPEN: frozenset[Status] = frozenset({"RUNNING", "PAUSING", "PAUSED"})
OperationType = Literal["CONTEXT", "STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE"]
OperationStatus = Literal["STARTED", "PENDING", "READY", "SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"]
ENDED: frozenset[OperationStatus] = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"})

MAX_OPERATIONS = 3000  # of an execution, as all the figures here are AWS's
MAX_BYTES = 100 * 1024 * 1024  # that an execution writes
MAX_PAYLOAD = 1024 * 1024  # of an operation, or of an execution that nobody waits for
MAX_WAITED = 6 * 1024 * 1024  # what an execution may answer to whoever waits for it
MAX_ERROR = 1024 * 1024
MAX_LIFE_S = 366 * 86_400.0


class Error(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong, in the words of whoever says so."""

    message: str | None = None
    type: str | None = None
    data: str | None = None
    stack: tuple[str, ...] | None = None

    def size(self) -> int:
        """Bytes of all of it."""
        texts = (self.message, self.type, self.data, *(self.stack or ()))
        return sum(len(text.encode()) for text in texts if text)


class Parent(msgspec.Struct, frozen=True):
    """The operation whose result an execution is."""

    execution_id: str
    operation_id: str


class Began(msgspec.Struct, frozen=True, omit_defaults=True):
    """What never changes of an execution."""

    execution_id: str
    function: str
    version: str  # that all of its invocations run
    name: str
    arn: str
    function_arn: str  # as its caller named it
    started_at: float
    config: Durable
    digest: str  # of the input: SHA-256
    waited: bool = False  # whether its caller waited for it
    trace_id: str | None = None
    parent: Parent | None = None
    tenant: str | None = None  # on whose behalf


class Pause(msgspec.Struct, frozen=True, omit_defaults=True):
    """That somebody had an execution paused."""

    asked_at: float
    stops_clock: bool  # whether its timeout waits, too
    reason: str | None = None
    left_s: float | None = None  # until its timeout, when it took effect; None: it has not, or the timeout goes on


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changes of an execution with every transition."""

    closes_at: float  # when it times out
    invocation: int = 0  # invocations begun; the number of the current one
    running: bool = False  # one is under way
    queued: bool = False  # an item in the ready queue will see to the next one, or sees to the current one
    checkpoint: int = 0  # the one that the current token is for
    clock: int = 0  # changes of operations so far
    seen: int = 0  # how many of them the function has been told of
    operations: int = 0  # ever started
    waiting: int = 0  # that end by themselves, or from outside
    bytes: int = 0
    events: int = 0
    failures: int = 0  # of invocations, one after the other
    idle: int = 0  # invocations that waited for nothing, one after the other
    client_token: str | None = None  # of the checkpoint before, and where its answer began
    client_seen: int = 0
    pause: Pause | None = None
    deferred: bool = False  # an invocation was due, or broken off, when it was paused
    request_token: str | None = None  # of the last request to pause or resume
    wakes_at: float | None = None  # its tick


class Execution(msgspec.Struct, frozen=True):
    """One execution, without its payloads."""

    began: Began
    status: Status
    state: State
    ended_at: float | None = None

    @property
    def open(self) -> bool:
        return self.status in OPEN


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation, as it stands."""

    id: str
    number: int  # in order of their starts
    type: OperationType
    status: OperationStatus
    started_at: float
    ended_at: float | None = None
    parent: str | None = None
    name: str | None = None
    subtype: str | None = None
    result: str | None = None
    error: Error | None = None
    attempt: int = 0  # of steps
    due_at: float | None = None  # when time changes it
    wait_s: int = 0  # of waits
    timeout_at: float | None = None  # of callbacks
    heartbeat_s: int = 0
    replay_children: bool = False  # of contexts
    function: str | None = None  # of chained invocations
    target: str | None = None  # of those that run no execution: the version that is invoked
    child: str | None = None  # of those that do: its ARN

    @property
    def waits(self) -> bool:
        """Whether something other than its function will end it, or go on with it."""
        if self.type == "STEP":
            return self.status == "PENDING"
        return self.type != "CONTEXT" and self.status == "STARTED"


# Where the payload or error of an event is kept, if not with it: with the operation, or with the execution.
Kept = Literal["", "operation", "input", "outcome"]


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an execution's history."""

    type: str
    at: float
    operation: str | None = None
    name: str | None = None
    subtype: str | None = None
    parent: str | None = None
    kept: Kept = ""
    payload: str | None = None
    error: Error | None = None
    details: dict[str, Any] = {}  # members of its details, as on the wire but for times, which are numbers


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an execution ended with."""

    result: str | None = None
    error: Error | None = None
