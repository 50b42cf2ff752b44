"""Several calls at a time in one process: every call of an `async` handler is a task of one event loop.

`bootstrap` hands over to this after INIT and gets the control socket back never. What a call prints and logs goes by
its context (`contextvars`), which tasks and `asyncio.to_thread` inherit. Answers that become ready in one turn of the
loop are sent together. A call that took too long is cancelled, as tasks are.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable

from mayfly.sandbox import frames
from mayfly.sandbox.python import children, failures, handler, logs, results, streams
from mayfly.sandbox.python.context import Fixed, context_of

_CHUNK = 1 << 18
_RIGHTS = socket.CMSG_SPACE(4)  # for one descriptor
_TRACE = "_X_AMZN_TRACE_ID"


class Tasks:
    """The calls of one instance. They come over the control socket, and over those that are shared with others."""

    def __init__(
        self,
        control: socket.socket,
        decoder: frames.Decoder,
        function: handler.Handler,
        current: logs.Current,
        fixed: Fixed,
        ascii_only: bool,
    ) -> None:
        self.function = function
        self.fixed = fixed
        self.ascii_only = ascii_only
        self.loop = asyncio.new_event_loop()
        self.adopted = children.Adopted()
        self.nobody = streams.Call()
        self._control = control
        self._line = _Line(self, control, decoder)
        self._shares: dict[int, _Line] = {}
        self._descriptors = array.array("i")  # that came, ahead of the rest of their frame
        current.find = self._request_id
        os.register_at_fork(after_in_child=self._in_child)

    def run(self, early: list[frames.Frame]) -> None:
        """Until the server is gone. `early` are frames that came along with INIT."""
        sys.stdout = sys.__stdout__ = streams.Attributed(self._line.sender, 1)  # type: ignore[assignment, misc]
        sys.stderr = sys.__stderr__ = streams.Attributed(self._line.sender, 2)  # type: ignore[assignment, misc]
        _trace_by_call()
        asyncio.set_event_loop(self.loop)
        self.loop.add_reader(self._control.fileno(), self._readable)
        for frame in early:
            self.loop.call_soon(self._line.begin, frame)
        self.loop.run_forever()

    def _request_id(self) -> str:
        return streams.running.get(self.nobody).request_id

    def _readable(self) -> None:
        """Sending may block: the server always reads."""
        try:
            data, rights, _, _ = self._control.recvmsg(_CHUNK, _RIGHTS, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not data:
            self.loop.stop()
            return
        for _, _, content in rights:
            self._descriptors.frombytes(content)
        for frame in self._line.decoder.feed(data):
            if frame.kind == frames.SHARE:
                if self._descriptors:  # else it was lost on the way, and the server hears nothing of it
                    self._share(frame.number, socket.socket(fileno=self._descriptors.pop(0)))
            else:
                self._line.begin(frame)
        streams.running.set(self.nobody)

    def _share(self, number: int, end: socket.socket) -> None:
        end.setblocking(True)
        end.set_inheritable(False)
        line = self._shares[number] = _Line(self, end, frames.Decoder())
        line.over = lambda: self._unshared(number, line)
        self.loop.add_reader(end.fileno(), line.readable)
        self._line.sender.send(frames.encode(frames.SHARED, None, b"", number))

    def _unshared(self, number: int, line: _Line) -> None:
        if self._shares.pop(number, None) is line:
            self._line.sender.send(frames.encode(frames.UNSHARED, None, b"", number))

    def _in_child(self) -> None:
        self._line.sender.in_child()
        for line in self._shares.values():
            line.sender.in_child()
            line.control.close()


class _Line:
    """One socket over which calls come, and their answers go."""

    def __init__(self, tasks: Tasks, control: socket.socket, decoder: frames.Decoder) -> None:
        self.control = control
        self.decoder = decoder
        self.sender = streams.Sender(control.sendall)
        self.over: Callable[[], None] | None = None  # called when it is closed, and none of its calls runs
        self._of = tasks
        self._loop = tasks.loop
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by number; the loop holds them weakly
        self._cancelled: set[int] = set()
        self._answers: list[tuple[int, bytes, bool]] = []  # number, payload, whether it is an error

    def readable(self) -> None:
        """What is read is not the control socket."""
        try:
            data = self.control.recv(_CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._closed()
            return
        for frame in self.decoder.feed(data):
            self.begin(frame)
        streams.running.set(self._of.nobody)

    def begin(self, frame: frames.Frame) -> None:
        number = frame.number
        if frame.kind == frames.INVOKE:
            fields = frames.call_fields(frame.head)
            call = streams.Call(number, fields[0], fields[3], self.sender)
            streams.running.set(call)  # the task's own context is a copy of this one
            self._tasks[number] = self._loop.create_task(self._serve(frame, fields, call))
        elif frame.kind == frames.CANCEL and number in self._tasks:
            self._cancel(number)

    def _cancel(self, number: int) -> None:
        self._cancelled.add(number)
        self._tasks[number].cancel()

    async def _serve(self, frame: frames.Frame, fields: list[str], call: streams.Call) -> None:
        of = self._of
        try:
            context = context_of(fields, of.fixed)
            result = results.encode(await of.function(results.event_of(frame.payload), context), of.ascii_only)
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
        self._tell(
            b"".join(
                frames.encode(frames.ERROR, {"fatal": False}, payload, number, quiet)
                if failed
                else frames.encode_result(number, payload, quiet)
                for number, payload, failed in answers
            )
        )
        self._of.adopted.reap_now_and_then(0.0)

    def _tell(self, data: bytes) -> None:
        if self.over is None:  # the control socket: without it there is no reason to live
            self.sender.send(data)
            return
        with contextlib.suppress(OSError):  # who had the share is gone; that is read off its end
            self.sender.send(data)
        if self.sender.closed and not self._tasks:
            self.over()

    def _closed(self) -> None:
        """Nobody waits for its calls any more."""
        assert self.over is not None
        self._loop.remove_reader(self.control.fileno())
        self.sender.closed = True
        self.control.close()
        for number in list(self._tasks):
            self._cancel(number)
        if not self._tasks:
            self.over()


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
