"""The Extensions API of one sandbox: who registered, for which events, and what each of them is doing.

    Started ──register──► Registered ──event/next──► Ready ──(an event)──► Running ──event/next──► Ready
                              └──init/error──► InitError          any but Started ──exit/error──► ExitError

External extensions are programs of their own, known by the names of their files before they register. Any other name
is an internal one, which runs in the runtime's process. Who may register is decided until `close_registration`.

Sources: "Using the Lambda Extensions API" in the AWS Lambda developer guide; states and refusals as AWS's published
runtime interface emulator has them.
"""

import json
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from mayfly.runtime_api.exchange import NOT_FOUND, Ignored, Reply, Request, Response, Sink, Whole, answered, refused
from mayfly.runtime_api.invocation import Invocation

VERSION = "/2020-01-01/extension"
MOST_EXTENSIONS = 10
MOST_BODY = 64 * 1024
INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"
_IDENTIFIER = "Lambda-Extension-Identifier"
_ERROR_TYPE = "lambda-extension-function-error-type"


class State(Enum):
    """By the names that refusals call them."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What extensions are told of the function."""

    name: str = ""
    version: str = ""
    handler: str = ""
    account: str = ""


@dataclass(slots=True)
class Extension:
    """One of them."""

    name: str
    id: str
    external: bool
    state: State = State.STARTED
    events: tuple[str, ...] = ()
    error_type: str = ""  # that it named itself
    polls: list[Reply] = field(default_factory=list)
    waiting: deque[dict[str, Any]] = field(default_factory=deque)  # events that it has not asked for


class Hears(Protocol):
    """Who is told; called on the loop, must neither block nor raise."""

    def registered(self) -> None:
        """One more has registered."""

    def extension_polled(self) -> None:
        """One has asked for its next event."""


class Extensions:
    """See the module."""

    def __init__(self, hears: Hears, new_id: Callable[[], str]) -> None:
        self.metadata = Metadata()
        self._hears = hears
        self._new_id = new_id
        self._all: dict[str, Extension] = {}  # by name
        self._open = True

    # For whoever runs the sandbox.

    def expect(self, names: Collection[str]) -> None:
        """These are started as programs of their own."""
        for name in names:
            self._all[name] = Extension(name, self._new_id(), external=True)

    def close_registration(self) -> None:
        self._open = False

    @property
    def all_registered(self) -> bool:
        return all(one.state is not State.STARTED for one in self._all.values())

    @property
    def all_ready(self) -> bool:
        """Whether each of them waits for an event."""
        return all(one.state is State.READY for one in self._all.values())

    @property
    def known(self) -> list[Extension]:
        return list(self._all.values())

    def by_id(self, identifier: str) -> Extension | None:
        """One that has registered."""
        return next(
            (one for one in self._all.values() if one.id == identifier and one.state is not State.STARTED), None
        )

    def invoke(self, invocation: Invocation) -> None:
        """Tell those that want to know of a call."""
        event: dict[str, Any] = {
            "eventType": INVOKE,
            "deadlineMs": invocation.deadline_ms,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.arn,
        }
        if invocation.trace_id:
            event["tracing"] = {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id}
        for one in self._all.values():
            if INVOKE in one.events:
                self._tell(one, event)

    def shut_down(self, reason: str, deadline_ms: int) -> list[Extension]:
        """Tell those that want to know of the end; which ones those are."""
        wanted = [one for one in self._all.values() if SHUTDOWN in one.events]
        for one in wanted:
            self._tell(one, {"eventType": SHUTDOWN, "shutdownReason": reason, "deadlineMs": deadline_ms})
        return wanted

    def _tell(self, one: Extension, event: dict[str, Any]) -> None:
        one.waiting.append(event)
        self._deliver(one)

    def _deliver(self, one: Extension) -> None:
        while one.waiting and one.polls:
            reply = one.polls.pop()
            if not reply.gone:
                body = json.dumps(one.waiting.popleft(), separators=(",", ":")).encode()
                one.state = State.RUNNING
                reply.send(Response(200, body, (("Lambda-Extension-Event-Identifier", self._new_id()),)))

    # For those inside.

    def begin(self, request: Request, reply: Reply) -> Sink:
        """See `exchange.Answers`; of paths below `VERSION`."""
        match request.method, request.path.removeprefix(VERSION):
            case "POST", "/register":
                return Whole(
                    MOST_BODY,
                    lambda body, _: reply.send(self._register(request, body)),
                    lambda: reply.send(refused(413, "RequestEntityTooLarge", "The request is too large.")),
                )
            case "GET", "/event/next":
                one = self.who(request, reply)
                if one is not None:
                    self._next(one, reply)
                return Ignored()
            case "POST", "/init/error" | "/exit/error" as path:
                return self._error(request, reply, State.INIT_ERROR if path == "/init/error" else State.EXIT_ERROR)
        reply.send(NOT_FOUND)
        return Ignored()

    def who(self, request: Request, reply: Reply) -> Extension | None:
        """The one that asks; it is refused if it does not say who it is."""
        identifier = request.headers.get(_IDENTIFIER.lower(), "")
        if not identifier:
            kind, message = "Extension.MissingExtensionIdentifier", f"Missing {_IDENTIFIER} header"
        elif (one := self.by_id(identifier)) is not None:
            return one
        elif len(identifier) != 36 or identifier.count("-") != 4:
            kind, message = "Extension.InvalidExtensionIdentifier", f"Invalid {_IDENTIFIER}"
        else:
            kind, message = "Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}"
        reply.send(refused(403, kind, message))
        return None

    def _register(self, request: Request, body: bytes) -> Response:
        name = request.headers.get("lambda-extension-name", "")
        if not name:
            return refused(403, "Extension.InvalidExtensionName", "Empty extension name")
        events = _events(body)
        if isinstance(events, str):
            return refused(403, "InvalidRequestFormat", events)
        one = self._all.get(name)
        allowed = (INVOKE, SHUTDOWN) if one is not None and one.external else (INVOKE,)
        for event in events:
            if event not in allowed:
                return refused(403, "Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")
        if one is None:
            if not self._open:
                return refused(403, "Extension.RegistrationClosed", "Extension registration closed already")
            if len(self._all) >= MOST_EXTENSIONS:
                return refused(403, "Extension.TooManyExtensions", f"Extension limit ({MOST_EXTENSIONS}) reached")
            one = self._all[name] = Extension(name, self._new_id(), external=False)
        elif not one.external:
            return refused(403, "Extension.InvalidExtensionState", "Extension with this name already registered")
        elif one.state is not State.STARTED:
            return _wrong_state(one, State.REGISTERED, one.name)
        one.state, one.events = State.REGISTERED, tuple(dict.fromkeys(events))
        self._hears.registered()
        told = {
            "functionName": self.metadata.name,
            "functionVersion": self.metadata.version,
            "handler": self.metadata.handler,
        }
        features = request.headers.get("lambda-extension-accept-feature", "").split(",")
        if "accountId" in [feature.strip() for feature in features]:
            told["accountId"] = self.metadata.account
        body = json.dumps(told, separators=(",", ":")).encode()
        return Response(200, body, ((_IDENTIFIER, one.id),))

    def _next(self, one: Extension, reply: Reply) -> None:
        if one.state in (State.INIT_ERROR, State.EXIT_ERROR, State.STARTED):
            reply.send(_wrong_state(one, State.READY, one.id))
            return
        again = one.state is State.READY
        one.state = State.READY
        one.polls = [poll for poll in one.polls if not poll.gone]
        one.polls.append(reply)
        self._deliver(one)
        if not again:
            self._hears.extension_polled()

    def _error(self, request: Request, reply: Reply, to: State) -> Sink:
        one = self.who(request, reply)
        if one is None:
            return Ignored()
        error_type = request.headers.get(_ERROR_TYPE, "")
        if not error_type:
            name = "Lambda-Extension-Function-Error-Type"
            reply.send(refused(403, "Extension.MissingHeader", f"{name} not found"))
        elif one.state is to or one.state is State.REGISTERED or (to is State.EXIT_ERROR and one.state in _WORKS):
            one.state = to
            one.error_type = one.error_type or error_type
            reply.send(answered(202, {"status": "OK"}))
        else:
            reply.send(_wrong_state(one, to, one.id))
        return Ignored()


_WORKS = (State.READY, State.RUNNING)


def _events(body: bytes) -> list[str] | str:
    """Those that a registration asks for, or what is wrong with it."""
    try:
        asked: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        return f"The body is not JSON: {error}"
    if not isinstance(asked, Mapping):
        return "The body is not a JSON object."
    if asked.get("configurationKeys"):
        return "configurationKeys are deprecated; use environment variables instead"
    events = asked.get("events") or []
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        return "events is not a list of names."
    return events


def _wrong_state(one: Extension, to: State, called: str) -> Response:
    message = (
        f"State transition from {one.state.value} to {to.value} failed for extension {called}. "
        "Error: State transition is not allowed"
    )
    return refused(403, "Extension.InvalidExtensionState", message)
