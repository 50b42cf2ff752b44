"""The Runtime API of one sandbox: what the runtime may say when, and what it is told.

    Started ──next──► Ready ──(a call)──► Running ──response──► InvocationResponse ────────┐
       │                ▲                    └─────error──────► InvocationErrorResponse ───┤
       ├──restore/next──┤ next               (the body has come) ResponseSent ◄────────────┘
       │   Restoring ───┘──────────────────────────next───────────────┘
       └──init/error──► InitError      Restoring ──restore/error──► RestoreError

A runtime that speaks out of turn is refused with AWS's words, and nothing changes. One that asks for its next call
while it runs one gets that one again. Time limits are not kept here.

Sources: "Using the Lambda runtime API for custom runtimes" in the AWS Lambda developer guide; states, and what is
answered to whom speaks out of turn, as AWS's published runtime interface emulator does it.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import Protocol

from mayfly.runtime_api import bodies
from mayfly.runtime_api.exchange import NOT_FOUND, Ignored, Reply, Request, Response, Sink, Whole, answered, refused
from mayfly.runtime_api.invocation import Invocation

VERSION = "/2018-06-01/runtime"
MOST_ERROR = 256 * 1024
ERROR_TYPE = "lambda-runtime-function-error-type"
_MODE = "lambda-runtime-function-response-mode"
_ACCEPTED = answered(202, {"status": "OK"})


class State(Enum):
    """By the names that refusals call them."""

    STARTED = "Started"
    INIT_ERROR = "InitError"
    RESTORING = "Restoring"
    RESTORE_ERROR = "RuntimeRestoreErrorState"
    READY = "Ready"
    RUNNING = "Running"
    RESPONSE = "InvocationResponse"
    ERROR_RESPONSE = "InvocationErrorResponse"
    SENT = "RuntimeResponseSentState"


class Hears(Protocol):
    """Who is told what a runtime says; called on the loop, must neither block nor raise."""

    def ready(self) -> None:
        """It has asked for its first call: init is over."""

    def polled(self) -> None:
        """It has asked for another one: it does nothing more for the last."""

    def init_failed(self, error_type: str, payload: bytes, *, restoring: bool) -> None: ...

    def answered(self, invocation: Invocation, payload: bytes) -> None: ...

    def failed(self, invocation: Invocation, error_type: str, payload: bytes) -> None:
        """`error_type` is what the runtime calls it, or empty; `payload` is what the caller gets."""

    def begins(self, invocation: Invocation, content_type: str, hold: Callable[[bool], None]) -> None:
        """An answer comes in parts from here on, and then `ended`, or `failed`. `hold` stops and resumes the parts."""

    def part(self, invocation: Invocation, data: bytes) -> None: ...

    def ended(self, invocation: Invocation) -> None: ...


class Runtime:
    """See the module. `restores`: whether it is told when it was restored from a snapshot."""

    def __init__(self, hears: Hears, *, restores: bool = False) -> None:
        self._hears = hears
        self._restores = restores
        self._state = State.STARTED
        self._polls: list[Reply] = []  # who asks for a call; the latest is the one that is served
        self._invocation: Invocation | None = None  # that it was given last
        self._undelivered: deque[Invocation] = deque()

    @property
    def undelivered(self) -> list[Invocation]:
        """Those that it has not asked for."""
        return list(self._undelivered)

    @property
    def is_done(self) -> bool:
        """Whether it has nothing more to do for the last call."""
        return self._state is State.READY

    def invoke(self, invocation: Invocation) -> None:
        """Give it a call as soon as it asks for one."""
        self._undelivered.append(invocation)
        self._deliver()

    def begin(self, request: Request, reply: Reply) -> Sink:
        """See `exchange.Answers`; of paths below `VERSION`."""
        match request.method, request.path.removeprefix(VERSION).split("/")[1:]:
            case "GET", ["invocation", "next"]:
                self._next(reply)
                return Ignored()
            case "POST", ["invocation", request_id, "response"]:
                return self._response(request, reply, request_id)
            case "POST", ["invocation", request_id, "error"]:
                return self._error(request, reply, request_id)
            case "POST", ["init", "error"]:
                return self._init_error(request, reply, State.STARTED, State.INIT_ERROR)
            case "GET", ["restore", "next"] if self._restores:
                self._restore(reply)
                return Ignored()
            case "POST", ["restore", "error"] if self._restores:
                return self._init_error(request, reply, State.RESTORING, State.RESTORE_ERROR)
        reply.send(NOT_FOUND)
        return Ignored()

    # Before the first call.

    def _restore(self, reply: Reply) -> None:
        """It is ready to be made a snapshot of. What runs here is the copy already."""
        if self._state is not State.STARTED:
            reply.send(_wrong_state(self._state, State.READY))
            return
        self._state = State.RESTORING
        reply.send(Response(200))

    def _init_error(self, request: Request, reply: Reply, only_in: State, then_in: State) -> Sink:
        def then(payload: bytes, _trailers: Mapping[str, str]) -> None:
            if self._state is not only_in:
                reply.send(_wrong_state(self._state, then_in))
                return
            self._state = then_in
            reply.send(_ACCEPTED)
            error_type = request.headers.get(ERROR_TYPE, "")
            restoring = then_in is State.RESTORE_ERROR
            self._hears.init_failed(error_type, bodies.error(request, payload), restoring=restoring)

        return _whole(request, then, partial(reply.send, _too_large(MOST_ERROR)))

    # Calls.

    def _next(self, reply: Reply) -> None:
        state = self._state
        if state is State.RUNNING:
            assert self._invocation is not None
            reply.send(self._invocation.response())
            return
        if state not in (State.STARTED, State.RESTORING, State.READY, State.SENT):
            reply.send(_wrong_state(state, State.READY))
            return
        self._state = State.READY
        self._polls = [poll for poll in self._polls if not poll.gone]
        self._polls.append(reply)
        if state is State.SENT:
            self._hears.polled()
        elif state is not State.READY:
            self._hears.ready()
        self._deliver()

    def _deliver(self) -> None:
        while self._undelivered and self._polls:
            reply = self._polls.pop()
            if not reply.gone:
                self._state = State.RUNNING
                self._invocation = self._undelivered.popleft()
                reply.send(self._invocation.response())

    def _response(self, request: Request, reply: Reply, request_id: str) -> Sink:
        invocation = self._current(reply, request_id, State.RESPONSE)
        if invocation is None:
            return Ignored()
        mode = request.headers.get(_MODE, "")
        if mode not in ("", "streaming"):
            self._sent(reply, refused(400, "InvalidFunctionResponseMode", "Invalid function response mode"))
            self._hears.failed(
                invocation, "Runtime.InvalidResponseModeHeader", _fault("Runtime.InvalidResponseModeHeader")
            )
            return Ignored()
        return _Answer(self, invocation, request, reply, streams=mode == "streaming")

    def _error(self, request: Request, reply: Reply, request_id: str) -> Sink:
        invocation = self._current(reply, request_id, State.ERROR_RESPONSE)
        if invocation is None:
            return Ignored()

        def fail(payload: bytes, response: Response) -> None:
            self._sent(reply, response)
            self._hears.failed(invocation, request.headers.get(ERROR_TYPE, ""), payload)

        return _whole(
            request,
            lambda payload, _: fail(bodies.error(request, payload), _ACCEPTED),
            lambda: fail(bodies.too_large(MOST_ERROR), _too_large(MOST_ERROR)),
            lambda: fail(_fault("Runtime.TruncatedResponse"), _ACCEPTED),
        )

    def _current(self, reply: Reply, request_id: str, to: State) -> Invocation | None:
        """The call that it speaks of, if that is the one that it runs, and goes on to `to`; else it is refused."""
        if self._invocation is None or self._invocation.request_id != request_id:
            reply.send(refused(400, "InvalidRequestID", "Invalid request ID"))
            return None
        if self._state is not State.RUNNING:
            reply.send(_wrong_state(self._state, to))
            return None
        self._state = to
        return self._invocation

    def _sent(self, reply: Reply, response: Response) -> None:
        self._state = State.SENT
        reply.send(response)

    # What `_Answer` tells.

    def answer_came(self, reply: Reply, invocation: Invocation, payload: bytes | None) -> None:
        """`payload` is None where it came in parts."""
        self._sent(reply, _ACCEPTED)
        if payload is None:
            self._hears.ended(invocation)
        else:
            self._hears.answered(invocation, payload)

    def answer_failed(
        self, reply: Reply, invocation: Invocation, error_type: str, payload: bytes, how: Response
    ) -> None:
        self._sent(reply, how)
        self._hears.failed(invocation, error_type, payload)

    def part_came(self, invocation: Invocation, data: bytes) -> None:
        self._hears.part(invocation, data)

    def parts_begin(self, invocation: Invocation, content_type: str, hold: Callable[[bool], None]) -> None:
        self._hears.begins(invocation, content_type, hold)


class _Answer:
    """The body of a response."""

    def __init__(
        self, runtime: Runtime, invocation: Invocation, request: Request, reply: Reply, *, streams: bool
    ) -> None:
        self._runtime = runtime
        self._invocation = invocation
        self._reply = reply
        self._streams = streams
        self._data: bytearray | None = bytearray()  # None: enough of it
        if streams:
            runtime.parts_begin(invocation, request.headers.get("content-type", ""), reply.hold)
        elif (request.length or 0) > bodies.MOST_REPLY:
            self._refuse()

    def feed(self, data: bytes) -> None:
        if self._streams:
            self._runtime.part_came(self._invocation, data)
        elif self._data is not None:
            self._data += data
            if len(self._data) > bodies.MOST_REPLY:
                self._refuse()

    def _refuse(self) -> None:
        self._data = None
        error, how = bodies.too_large(bodies.MOST_REPLY), _too_large(bodies.MOST_REPLY)
        self._runtime.answer_failed(self._reply, self._invocation, "Function.ResponseSizeTooLarge", error, how)

    def finish(self, trailers: Mapping[str, str]) -> None:
        if self._data is None:
            return
        if error_type := trailers.get(ERROR_TYPE, ""):
            error = bodies.trailing_error(error_type, trailers)
            self._runtime.answer_failed(self._reply, self._invocation, error_type, error, _ACCEPTED)
        else:
            payload = None if self._streams else bytes(self._data)
            self._runtime.answer_came(self._reply, self._invocation, payload)

    def lost(self) -> None:
        if self._data is not None:
            kind = "Runtime.TruncatedResponse"
            self._runtime.answer_failed(self._reply, self._invocation, kind, _fault(kind), _ACCEPTED)


def _whole(
    request: Request,
    then: Callable[[bytes, Mapping[str, str]], None],
    too_large: Callable[[], None],
    lost: Callable[[], None] = lambda: None,
) -> Sink:
    if (request.length or 0) > MOST_ERROR:
        too_large()
        return Ignored()
    return Whole(MOST_ERROR, then, too_large, lost)


def _wrong_state(state: State, wanted: State) -> Response:
    message = (
        f"State transition from {state.value} to {wanted.value} failed for runtime. "
        "Error: State transition is not allowed"
    )
    return refused(403, "InvalidStateTransition", message)


def _too_large(most: int) -> Response:
    return refused(413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({most} bytes).")


def _fault(error_type: str) -> bytes:
    """What the caller gets of an answer that cannot be used; AWS says nothing more either."""
    return json.dumps({"errorType": error_type}).encode()
