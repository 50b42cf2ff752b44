"""The Runtime API of one sandbox: what the runtime may say when, and what it is told.

    started ──next──► ready ──(a call)──► running ──response or error──► answered ──next──► ready
       └──init/error──► failed

A runtime that speaks out of turn is refused with AWS's words, and nothing changes. Time limits are not kept here.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import Protocol

from mayfly.runtime_api.exchange import Ignored, Reply, Request, Response, Sink, Whole, answered, refused
from mayfly.runtime_api.invocation import Invocation

VERSION = "/2018-06-01/runtime"
# AWS refuses replies above 6 MiB and what surrounds them.
MOST_REPLY = 6 * 1024 * 1024 + 100
MOST_ERROR = 256 * 1024
ERROR_TYPE = "lambda-runtime-function-error-type"
_ACCEPTED = answered(202, {"status": "OK"})


class State(Enum):
    """By the names that refusals call them."""

    STARTED = "Started"
    FAILED = "InitError"
    READY = "Ready"
    RUNNING = "Running"
    ANSWERED = "InvocationResponse"


class Hears(Protocol):
    """Who is told what a runtime says; called on the loop, must neither block nor raise."""

    def ready(self) -> None:
        """It has asked for its first call: init is over."""

    def polled(self) -> None:
        """It has asked for another one: it does nothing more for the last."""

    def init_failed(self, error_type: str, payload: bytes) -> None: ...

    def answered(self, invocation: Invocation, payload: bytes) -> None: ...

    def failed(self, invocation: Invocation, error_type: str, payload: bytes) -> None: ...


class Runtime:
    """See the module."""

    def __init__(self, hears: Hears) -> None:
        self._hears = hears
        self._state = State.STARTED
        self._polls: list[Reply] = []  # who asks for a call; the latest is the one that is served
        self._invocation: Invocation | None = None  # that it was given last
        self._undelivered: deque[Invocation] = deque()

    @property
    def undelivered(self) -> list[Invocation]:
        """Those that it has not asked for."""
        return list(self._undelivered)

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
                return self._init_error(request, reply)
        reply.send(Response(404, b"404 page not found\n", content_type="text/plain; charset=utf-8"))
        return Ignored()

    def _next(self, reply: Reply) -> None:
        state = self._state
        if state in (State.RUNNING, State.FAILED):
            reply.send(_wrong_state(state, State.READY))
            return
        self._state = State.READY
        self._polls = [poll for poll in self._polls if not poll.gone]
        self._polls.append(reply)
        if state is State.STARTED:
            self._hears.ready()
        elif state is State.ANSWERED:
            self._hears.polled()
        self._deliver()

    def _deliver(self) -> None:
        while self._undelivered and self._polls:
            reply = self._polls.pop()
            if not reply.gone:
                self._state = State.RUNNING
                self._invocation = self._undelivered.popleft()
                reply.send(self._invocation.response())

    def _response(self, request: Request, reply: Reply, request_id: str) -> Sink:
        invocation = self._current(reply, request_id)
        if invocation is None:
            return Ignored()

        def too_large() -> None:
            most = MOST_REPLY
            message = f"Exceeded maximum allowed payload size ({most} bytes)."
            if self._ends(reply, invocation):
                reply.send(refused(413, "RequestEntityTooLarge", message))
                text = f"Response payload size exceeded maximum allowed payload size ({most} bytes)."
                error = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": text}
                self._hears.failed(invocation, "Function.ResponseSizeTooLarge", json.dumps(error).encode())

        def then(payload: bytes, trailers: Mapping[str, str]) -> None:
            if not self._ends(reply, invocation):
                return
            reply.send(_ACCEPTED)
            if error_type := trailers.get(ERROR_TYPE, ""):
                self._hears.failed(invocation, error_type, _trailing_error(error_type, trailers))
            else:
                self._hears.answered(invocation, payload)

        return _whole(request, MOST_REPLY, then, too_large)

    def _error(self, request: Request, reply: Reply, request_id: str) -> Sink:
        invocation = self._current(reply, request_id)
        if invocation is None:
            return Ignored()

        def then(payload: bytes, _trailers: Mapping[str, str]) -> None:
            if self._ends(reply, invocation):
                reply.send(_ACCEPTED)
                error_type = request.headers.get(ERROR_TYPE, "")
                self._hears.failed(invocation, error_type, _error_object(error_type, payload))

        return _whole(request, MOST_ERROR, then, partial(reply.send, _error_too_large()))

    def _init_error(self, request: Request, reply: Reply) -> Sink:
        def then(payload: bytes, _trailers: Mapping[str, str]) -> None:
            if self._state is not State.STARTED:
                reply.send(_wrong_state(self._state, State.FAILED))
                return
            self._state = State.FAILED
            reply.send(_ACCEPTED)
            error_type = request.headers.get(ERROR_TYPE, "")
            self._hears.init_failed(error_type, _error_object(error_type, payload))

        return _whole(request, MOST_ERROR, then, partial(reply.send, _error_too_large()))

    def _current(self, reply: Reply, request_id: str) -> Invocation | None:
        """The call that it speaks of, if that is the one that it runs; else it is refused."""
        if self._state is not State.RUNNING:
            reply.send(_wrong_state(self._state, State.ANSWERED))
            return None
        assert self._invocation is not None
        if self._invocation.request_id != request_id:
            reply.send(refused(400, "InvalidRequestID", "Invalid request ID"))
            return None
        return self._invocation

    def _ends(self, reply: Reply, invocation: Invocation) -> bool:
        """Whether the call had no answer yet: it has one now. Two may have been on their way at a time."""
        if self._state is not State.RUNNING or self._invocation is not invocation:
            reply.send(_wrong_state(self._state, State.ANSWERED))
            return False
        self._state = State.ANSWERED
        return True


def _whole(
    request: Request, most: int, then: Callable[[bytes, Mapping[str, str]], None], too_large: Callable[[], None]
) -> Sink:
    if (request.length or 0) > most:
        too_large()
        return Ignored()
    return Whole(most, then, too_large)


def _wrong_state(state: State, wanted: State) -> Response:
    message = (
        f"State transition from {state.value} to {wanted.value} failed for runtime. "
        "Error: State transition is not allowed"
    )
    return refused(403, "InvalidStateTransition", message)


def _error_too_large() -> Response:
    return refused(413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({MOST_ERROR} bytes).")


def _error_object(error_type: str, payload: bytes) -> bytes:
    """What the runtime says of an error; that it is JSON is not checked, as by AWS."""
    return payload or json.dumps({"errorType": error_type or "Runtime.Unknown", "errorMessage": ""}).encode()


def _trailing_error(error_type: str, trailers: Mapping[str, str]) -> bytes:
    return _error_object(error_type, trailers.get("lambda-runtime-function-error-body", "").encode())
