"""What the core and a front say to each other. Values only; `link` carries them, some with file descriptors.

A question carries a `number` that its answer repeats. Everything is in order: what a front hears after an answer
happened after it.
"""

from typing import Any, Literal

import msgspec

from mayfly.engine.api import FailureKind
from mayfly.sandbox.api import Exit
from mayfly.services.contract import Principal
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.model import JsonLogs
from mayfly.settings import FunctionLimits, HttpSettings


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Any of them."""


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """A `ServiceError`, or an error of the engine, on its way from the core to the caller of a front."""

    kind: Literal["service", "throttled", "not-invocable", "role", "platform"]
    code: str  # of a service error; the scope of a throttle; the state of a version; the role
    message: str = ""
    status: int | None = None
    members: dict[str, Any] = {}
    headers: dict[str, str] = {}
    limit: int = 0
    retry_after_s: float | None = None


# From a front.


class Ready(Message, frozen=True):
    """It listens, and what it was told first is in force."""


class AskEntry(Message, frozen=True):
    """What a caller named: by name and qualifier, or by the id of a URL."""

    number: int
    name: str
    qualifier: str | None = None
    url_id: str | None = None


class AskKey(Message, frozen=True):
    """An access key that signed a request."""

    number: int
    access_key_id: str
    session_token: str | None


class AskLease(Message, frozen=True):
    """An idle instance of a target, or, where instances run several calls at a time, so many places on one."""

    number: int
    key: str
    places: int = 0  # 0: a whole instance


class GiveBack(Message, frozen=True):
    """A lease ends: the instance is idle, and nothing of it is unread. `leaving`: why it must take no further call."""

    lease: str
    calls: int
    leaving: str = ""


class GiveBackPlaces(Message, frozen=True):
    """So many places of a share are not needed; one is left."""

    lease: str
    places: int


class Condemn(Message, frozen=True):
    """A leased instance is to be ended; the front waits for `Died`.

    Of a share with "timeout": once nothing goes on there but calls that took too long.
    """

    lease: str
    verdict: FailureKind


class Buried(Message, frozen=True):
    """The front has read everything that a leased instance that died left, and its descriptors are closed."""

    lease: str
    calls: int


class Run(Message, frozen=True):
    """A call for which the front has no instance."""

    number: int
    name: str
    qualifier: str | None
    asked: Asked


class Settled(Message, frozen=True):
    """`Revoke` or `Recall` was carried out as far as it could be at once: no idle lease of it is left."""

    number: int


class Counted(Message, frozen=True):
    """Calls that ended since the last word, requests under way now. Sent while there is something to say."""

    calls: int
    under_way: int


# From the core.


class Welcome(Message, frozen=True):
    """The first word: what this front is to be."""

    account: str
    region: str
    journals: str  # directory
    journal: str  # name of its own
    segment: int  # number of the first segment of that
    http: HttpSettings
    limits: FunctionLimits
    max_clock_skew_s: float


class Entry(Message, frozen=True):
    """Answers `AskEntry`. All None: there is nothing under that URL id."""

    number: int
    function: bytes | None = None  # msgpack of the model's `Function`
    subject: bytes | None = None  # of the `Version` or `Alias` that was named; None: the function itself
    subject_kind: Literal["function", "version", "alias"] = "function"
    qualifier: str | None = None
    target: bytes | None = None  # msgpack of `TargetView`
    local: bool = False  # whether the front may run it; if not, every call goes to the core
    refusal: Refusal | None = None


class TargetView(msgspec.Struct, frozen=True, array_like=True):
    """What a front has to know of a target."""

    key: str
    function: str
    timeout_s: float
    memory_mb: int
    template: str  # the sandbox's runtime
    name: str
    version: str
    log_group: str
    ephemeral_mb: int
    architecture: str
    account: str
    runtime: str
    concurrency: int
    logs: JsonLogs | None = None
    log_owner: str = ""
    initialization: str = "on-demand"
    traced: bool = False


class Key(Message, frozen=True):
    """Answers `AskKey`."""

    number: int
    secret: str = ""
    principal: Principal | None = None
    expires_at: float = float("inf")
    refusal: Refusal | None = None


class Leased(Message, frozen=True):
    """Answers `AskLease`; None: there is none. With descriptors: control socket, output pipe, peak memory; of a share
    without the pipe; none where a share that the front has got more places."""

    number: int
    lease: str | None = None
    instance: str = ""
    stream: str = ""  # of its log
    quiet_since: float = 0.0  # Unix seconds: no line of its log is younger
    term_s: float = 0.0  # how long it may last
    places: int = 0  # calls at a time that are granted, where it is a share


class Died(Message, frozen=True):
    """A leased instance is dead; no process of it is left."""

    lease: str
    exit: Exit
    verdict: FailureKind | None = None  # why the core ended it, where that is what its calls fail of


class Ran(Message, frozen=True):
    """Answers `Run`."""

    number: int
    payload: bytes = b""
    failed: bool = False
    tail: bytes = b""
    version: str = ""
    failure: FailureKind | None = None
    trace_id: str = ""
    refusal: Refusal | None = None
    durable_arn: str | None = None


class Revoke(Message, frozen=True):
    """Forget a function (None: every function; "": none), and all keys if `keys`. Leases of it go back."""

    number: int
    function: str | None
    keys: bool = False


class Recall(Message, frozen=True):
    """Give back the idle leases of one target, of one function, or all; if `busy`, the others after their calls."""

    number: int
    key: str | None = None
    function: str | None = None
    busy: bool = False


class Drain(Message, frozen=True):
    """Accept nothing more, finish what is under way, and end."""


class Ping(Message, frozen=True):
    """Answered by `Settled`."""

    number: int


# In both directions.


class Moved(Message, frozen=True):
    """A connection of a client, with its descriptor, and what was read of a request that nobody has answered."""

    data: bytes


FromFront = (
    Ready
    | AskEntry
    | AskKey
    | AskLease
    | GiveBack
    | GiveBackPlaces
    | Condemn
    | Buried
    | Run
    | Settled
    | Counted
    | Moved
)
FromCore = Welcome | Entry | Key | Leased | Died | Ran | Revoke | Recall | Drain | Ping | Moved
