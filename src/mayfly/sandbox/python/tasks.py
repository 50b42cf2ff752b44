"""Several calls at a time in one process: every call of an `async` handler is a task of one event loop.

`bootstrap` hands over to this after INIT and gets the control socket back never. What a call prints and logs goes by
its context (`contextvars`), which tasks and `asyncio.to_thread` inherit. Answers that become ready in one turn of the
loop are sent together.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys

from mayfly.sandbox import frames
from mayfly.sandbox.python import children, failures, handler, logs, results, streams
from mayfly.sandbox.python.context import Fixed, context_of

_CHUNK = 1 << 18


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
        self._tasks: set[asyncio.Task[None]] = set()  # the loop holds them weakly
        self._answers: list[bytes] = []
        self._adopted = children.Adopted()
        self._nobody = streams.Call()
        self._sender = streams.Sender(control.sendall)
        current.find = self._request_id

    def run(self, early: list[frames.Frame]) -> None:
        """Until the server is gone. `early` are frames that came along with INIT."""
        sys.stdout = sys.__stdout__ = streams.Attributed(self._sender, 1)  # type: ignore[assignment, misc]
        sys.stderr = sys.__stderr__ = streams.Attributed(self._sender, 2)  # type: ignore[assignment, misc]
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
        if frame.kind != frames.INVOKE:
            return
        fields = frames.call_fields(frame.head)
        call = streams.Call(frame.number, fields[0])
        streams.running.set(call)  # the task's own context is a copy of this one
        task = self._loop.create_task(self._serve(frame, fields, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, frame: frames.Frame, fields: list[str], call: streams.Call) -> None:
        try:
            context = context_of(fields, self._fixed)
            result = results.encode(await self._function(results.event_of(frame.payload), context), self._ascii_only)
        except (Exception, asyncio.CancelledError) as error:  # user code may raise anything
            failure = failures.describe(error, call.request_id)
            failures.report(failure)
            text = json.dumps(failure).encode()
            self._answer(call, frames.encode(frames.ERROR, {"fatal": False}, text, call.number))
        else:
            self._answer(call, frames.encode_result(call.number, result))

    def _answer(self, call: streams.Call, answer: bytes) -> None:
        if call.partial:
            streams.flush()
        if not self._answers:
            self._loop.call_soon(self._send)
        self._answers.append(answer)

    def _send(self) -> None:
        answers, self._answers = self._answers, []
        self._sender.send(b"".join(answers))
        self._adopted.reap_now_and_then(0.0)
