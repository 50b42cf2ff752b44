"""Several calls at a time in one process: every call of an `async` handler is a task of one event loop.

`bootstrap` hands over to this after INIT and gets the control socket back never. What a call prints and logs goes by
its context (`contextvars`), which tasks and `asyncio.to_thread` inherit. Answers that become ready in one turn of the
loop are sent together. A call that took too long is cancelled, as tasks are.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys

from mayfly.sandbox import frames
from mayfly.sandbox.python import children, failures, handler, logs, results, streams
from mayfly.sandbox.python.context import Fixed, context_of

_CHUNK = 1 << 18
_TRACE = "_X_AMZN_TRACE_ID"


class Tasks:
    """The calls of one instance."""

    def __init__(
        self,
        control: socket.socket,
        decoder: frames.Decoder,
        function: handler.Handler,
        current: logs.Current,
        fixed: Fixed,
        ascii_only: bool,
    ) -> None:
        self._control = control
        self._decoder = decoder
        self._function = function
        self._fixed = fixed
        self._ascii_only = ascii_only
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by number; the loop holds them weakly
        self._cancelled: set[int] = set()
        self._answers: list[tuple[int, bytes, bool]] = []  # number, payload, whether it is an error
        self._adopted = children.Adopted()
        self._nobody = streams.Call()
        self._sender = streams.Sender(control.sendall)
        current.find = self._request_id

    def run(self, early: list[frames.Frame]) -> None:
        """Until the server is gone. `early` are frames that came along with INIT."""
        sys.stdout = sys.__stdout__ = streams.Attributed(self._sender, 1)  # type: ignore[assignment, misc]
        sys.stderr = sys.__stderr__ = streams.Attributed(self._sender, 2)  # type: ignore[assignment, misc]
        _trace_by_call()
        asyncio.set_event_loop(self._loop)
        self._loop.add_reader(self._control.fileno(), self._readable)
        for frame in early:
            self._loop.call_soon(self._begin, frame)
        self._loop.run_forever()

    def _request_id(self) -> str:
        return streams.running.get(self._nobody).request_id

    def _readable(self) -> None:
        try:
            data = self._control.recv(_CHUNK, socket.MSG_DONTWAIT)  # sending may block: the server always reads
        except BlockingIOError:
            return
        if not data:
            self._loop.stop()
            return
        for frame in self._decoder.feed(data):
            self._begin(frame)
        streams.running.set(self._nobody)

    def _begin(self, frame: frames.Frame) -> None:
        number = frame.number
        if frame.kind == frames.INVOKE:
            fields = frames.call_fields(frame.head)
            call = streams.Call(number, fields[0], fields[3])
            streams.running.set(call)  # the task's own context is a copy of this one
            self._tasks[number] = self._loop.create_task(self._serve(frame, fields, call))
        elif frame.kind == frames.CANCEL and number in self._tasks:
            self._cancelled.add(number)
            self._tasks[number].cancel()

    async def _serve(self, frame: frames.Frame, fields: list[str], call: streams.Call) -> None:
        try:
            context = context_of(fields, self._fixed)
            result = results.encode(await self._function(results.event_of(frame.payload), context), self._ascii_only)
        except (Exception, asyncio.CancelledError) as error:  # user code may raise anything
            failure = failures.describe(error, call.request_id)
            if call.number not in self._cancelled:  # the platform has said so
                failures.report(failure)
            self._answer(call, json.dumps(failure).encode(), failed=True)
        else:
            self._answer(call, result, failed=False)

    def _answer(self, call: streams.Call, payload: bytes, *, failed: bool) -> None:
        del self._tasks[call.number]
        self._cancelled.discard(call.number)
        if call.partial:
            streams.flush()
        if not self._answers:
            self._loop.call_soon(self._send)
        self._answers.append((call.number, payload, failed))

    def _send(self) -> None:
        answers, self._answers = self._answers, []
        quiet = streams.quiet()
        self._sender.send(
            b"".join(
                frames.encode(frames.ERROR, {"fatal": False}, payload, number, quiet)
                if failed
                else frames.encode_result(number, payload, quiet)
                for number, payload, failed in answers
            )
        )
        self._adopted.reap_now_and_then(0.0)


def _trace_by_call() -> None:
    """Have everybody who looks for the trace header in the environment find that of the call for which he looks.

    What is set there is seen by children and by nobody else.
    """
    plain = type(os.environ)
    nobody = streams.Call()

    def look_up(variables: os._Environ[str], name: str) -> str:
        if name != _TRACE:
            return plain.__getitem__(variables, name)
        trace_id = streams.running.get(nobody).trace_id
        if not trace_id:
            raise KeyError(name)
        return trace_id

    os.environ.__class__ = type(plain.__name__, (plain,), {"__getitem__": look_up})
