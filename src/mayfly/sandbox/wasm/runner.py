"""The loop of a sandbox whose runtime is `wasm`: INIT once, then an instance for every INVOKE, over the control socket.

Takes the place of `python.bootstrap`. Where several calls run at a time, each has a thread; what is computed holds no
lock of the interpreter. Nothing of the module runs before the first call, and nothing of a call is left after it.
"""

from __future__ import annotations

import json
import os
import queue
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

import wasmtime

from mayfly.sandbox import frames
from mayfly.sandbox.python import failures, streams
from mayfly.sandbox.wasm import artifacts, cgi, clockwork, engine, faults, instances, limits, variables

_CHUNK, _LONG_CHUNK = 1 << 16, 1 << 20
_BEHIND_S = 0.5  # the server is the one who says that a call's time is over; this is for when it does not


# Modules that Mayfly compiles for itself: one that does nothing, and one that writes "{}".
_NOTHING = '(module (memory (export "memory") 1) (func (export "_start")))'
_WRITES = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\02\\00\\00\\00") (data (i32.const 16) "{}")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"""
_USUAL = {"_HANDLER": "app.wasm", **{f"REHEARSED_VARIABLE_{n:02}": "-" * (20 + 2 * n) for n in range(20)}}


class Machine:
    """What all functions have in common: made in a template, before there is a function."""

    def __init__(self) -> None:
        self.engine = engine.make()
        self.linkers = instances.Linkers(self.engine)
        self._nothing, writes = (
            instances.Instances(self.linkers, "command", wasmtime.Module(self.engine, text))
            for text in (_NOTHING, _WRITES)
        )
        self._writes = Calls(writes, _USUAL, 1)

    def rehearse(self) -> None:
        """Do what a call does up to where wasmtime would make threads, which do not survive a fork; with no file for
        the output, which forks would share."""
        grants = instances.Grants([""], _USUAL, 1 << 26, _nowhere)
        store = self._nothing.begin(grants, b"{}", None, _unwatched)
        self._nothing.command(store)
        store.close()

    def warm(self) -> None:
        """In a process that has time and will be one instance: all that a first call does, threads included."""
        self._writes.rehearse()


def serve(control: socket.socket, machine: Machine) -> NoReturn:
    """Speak to the server at the other end of `control` until the end."""
    os.environ["TOKIO_WORKER_THREADS"] = "1"  # of wasmtime's input and output, made when they are first needed
    status = 1
    try:
        instances.limit_output()
        if not select.select([control], [], [], 0)[0]:
            machine.warm()  # nobody waits for it yet; a first call takes 0.5 instead of 2.5 ms afterwards
        Runner(control, machine).run()
        status = 0
    except BrokenPipeError:
        status = 0  # the server is gone
    except _InitFailedError:
        status = 1
    finally:
        os._exit(status)


class _InitFailedError(Exception):
    """INIT_ERROR was sent."""


class Runner:
    """Used by `serve`."""

    def __init__(self, control: socket.socket, machine: Machine) -> None:
        control.setblocking(True)
        control.set_inheritable(False)
        self._control = control
        self._machine = machine
        self._decoder = frames.Decoder()
        self._sender = streams.Sender(control.sendall)
        self._waiting: deque[frames.Frame] = deque()
        self._unread = False  # the server may not have read yet what was printed before the last answer
        self._calls: Calls | None = None
        self._side_by_side: SideBySide | None = None

    def run(self) -> None:
        receive, feed, waiting = self._control.recv, self._decoder.feed, self._waiting
        readable = select.poll()
        readable.register(self._control, select.POLLIN)
        while readable.poll() and (data := receive(_LONG_CHUNK if self._decoder.buffered else _CHUNK)):
            for frame in feed(data):
                if frame.kind == frames.CONTINUE:
                    self._unread = False
                else:
                    waiting.append(frame)
            while waiting and not (self._unread and waiting[0].flags & frames.AHEAD):
                self._heed(waiting.popleft())

    def _heed(self, frame: frames.Frame) -> None:
        if frame.kind == frames.INIT:
            self._init(frame.meta)
        elif self._side_by_side is not None:
            self._side_by_side.heed(frame)
        elif frame.kind == frames.INVOKE:
            self._invoke(frame)

    def _init(self, meta: dict[str, Any]) -> None:
        begin = time.perf_counter()
        environment: dict[str, str] = meta["environment"]
        concurrency = int(meta.get("concurrency", 1))
        try:
            made = _load(self._machine.linkers, meta["task_root"], meta["handler"], environment)
        except faults.Fault as fault:
            described = fault.described("")
            os.write(1, failures.log_line(described).encode())
            self._sender.send(frames.encode(frames.INIT_ERROR, None, json.dumps(described).encode()))
            raise _InitFailedError from None
        self._calls = Calls(made, environment, concurrency)
        about = {"concurrency": concurrency} if concurrency > 1 else {}
        if concurrency > 1:
            self._side_by_side = SideBySide(self._calls, self._machine.engine, self._sender, concurrency)
        init_ms = (time.perf_counter() - begin) * 1000
        quiet = streams.quiet()
        self._unread = not quiet
        said = {"init_ms": round(init_ms, 3), **about, "imports": []}
        self._sender.send(frames.encode(frames.READY, said, flags=quiet))

    def _invoke(self, frame: frames.Frame) -> None:
        assert self._calls is not None
        fields = frames.call_fields(frame.head)
        began_at = time.perf_counter()
        if frame.flags & frames.AHEAD:
            fields[1] = str(int(time.time() * 1000) + int(fields[1]))
        answer = self._calls.answer(frame, fields, _log, _unwatched)
        quiet = streams.quiet()
        self._unread = not quiet
        if not answer.failed:
            quiet |= frames.took(time.perf_counter() - began_at)
        answer.send(self._sender, frame.number, quiet)


class Answer:
    """Of one call. Its store is given back when it was sent, because that takes a while."""

    def __init__(self, payload: bytes, store: wasmtime.Store | None, *, failed: bool) -> None:
        self.payload = payload
        self.failed = failed
        self._store = store

    def send(self, sender: streams.Sender, number: int, flags: int) -> None:
        if self.failed:
            sender.send(frames.encode(frames.ERROR, {"fatal": False}, self.payload, number, flags & frames.QUIET))
        else:
            sender.send(frames.encode_result(number, self.payload, flags))
        self.close()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


class Calls:
    """Runs calls, each in an instance of its own. One object for all threads; each has an `Output`."""

    def __init__(self, made: instances.Instances, environment: dict[str, str], concurrency: int) -> None:
        self._made = made
        self._variables = environment
        self._arguments = [environment.get("_HANDLER", "")]
        memory_mb = int(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"))
        self._memory_bytes = limits.instance_bytes(memory_mb, concurrency)
        self._outputs = threading.local()

    def answer(
        self,
        frame: frames.Frame,
        fields: list[str],
        logged: instances.Write,
        watch: Callable[[wasmtime.Store], None],
    ) -> Answer:
        """Whatever happens, and once."""
        stores: list[wasmtime.Store] = []

        def begun(store: wasmtime.Store) -> None:
            stores.append(store)
            watch(store)

        try:
            payload = self._result(frame.payload, fields, logged, begun)
        except faults.Fault as fault:
            described = fault.described(fields[0])
            logged(failures.log_line(described).encode())
            return Answer(json.dumps(described).encode(), stores[0] if stores else None, failed=True)
        return Answer(payload, stores[0] if stores else None, failed=False)

    def rehearse(self) -> None:
        """A call without effect, of a module that writes no more than JSON."""
        frame = frames.Frame(frames.INVOKE, 0, 0, b"", b"{}")
        self.answer(frame, ["", "0", "", "", "", ""], _nowhere, _unwatched).close()

    def _result(
        self,
        event: bytes,
        fields: list[str],
        logged: instances.Write,
        watch: Callable[[wasmtime.Store], None],
    ) -> bytes:
        given = {**self._variables, **variables.of_call(fields)}
        grants = instances.Grants(self._arguments, given, self._memory_bytes, logged)
        if self._made.kind == "handle":
            store = self._made.begin(grants, b"", None, watch)
            return _checked(self._made.handle(store, event.decode("utf-8", "replace")).encode(), "handle returned")
        request = cgi.request_of(event)
        if request is not None:
            grants = grants._replace(variables={**given, **request.variables})
            return cgi.response_of(self._written(grants, request.body, watch))
        return _checked(self._written(grants, event, watch), "the program wrote")

    def _written(self, grants: instances.Grants, given: bytes, watch: Callable[[wasmtime.Store], None]) -> bytes:
        """What a program writes that ends well."""
        output: instances.Output | None = getattr(self._outputs, "one", None)
        if output is None:
            output = self._outputs.one = instances.Output()
        status = self._made.command(self._made.begin(grants, given, output, watch))
        if status != 0:
            raise faults.of_exit(status)
        return output.read()


class SideBySide:
    """Several calls at a time, each on one of as many threads."""

    def __init__(self, calls: Calls, machine: wasmtime.Engine, sender: streams.Sender, concurrency: int) -> None:
        self._calls = calls
        self._sender = sender
        self._clockwork = clockwork.Clockwork(machine)
        self._frames: queue.SimpleQueue[tuple[frames.Frame, list[str], clockwork.Running]] = queue.SimpleQueue()
        for number in range(concurrency):
            threading.Thread(target=self._serve, name=f"call-{number}", daemon=True).start()

    def heed(self, frame: frames.Frame) -> None:
        if frame.kind == frames.INVOKE:
            fields = frames.call_fields(frame.head)
            left_s = int(fields[1]) / 1000 - time.time()
            running = clockwork.Running(time.monotonic() + left_s + _BEHIND_S)
            self._clockwork.begin(frame.number, running)
            self._frames.put((frame, fields, running))
        elif frame.kind == frames.CANCEL:
            self._clockwork.cancel(frame.number)

    def _serve(self) -> None:
        while True:
            try:
                self._answer(*self._frames.get())
            except BrokenPipeError:
                return  # the server is gone; the loop hears of it
            except BaseException:
                os._exit(1)  # rather than a call that nobody answers

    def _answer(self, frame: frames.Frame, fields: list[str], running: clockwork.Running) -> None:
        log = _LogOfCall(self._sender, frame.number)
        try:
            answer = self._calls.answer(frame, fields, log.write, running.watch)
        finally:
            self._clockwork.end(frame.number)
        log.flush()
        answer.send(self._sender, frame.number, frames.QUIET)


class _LogOfCall:
    """What one of several calls writes, sent in whole lines where they come in pieces."""

    def __init__(self, sender: streams.Sender, number: int) -> None:
        self._sender = sender
        self._number = number
        self._rest = b""

    def write(self, data: bytes) -> None:
        lines, end, rest = (self._rest + data).rpartition(b"\n")
        if len(rest) >= _CHUNK:
            lines, end, rest = lines + end + rest, b"", b""
        self._rest = rest
        if lines or end:
            self._sender.output(self._number, lines + end)

    def flush(self) -> None:
        if self._rest:
            self._sender.output(self._number, self._rest)


def _load(linkers: instances.Linkers, root: str, place: str, environment: dict[str, str]) -> instances.Instances:
    """What the platform compiled; `Fault` says why it cannot be run, in words that name the file."""
    name = environment.get("_HANDLER", place)
    try:
        with open(f"{root}/{place}{artifacts.VERDICT}", "rb") as file:
            verdict = artifacts.Verdict.decoded(file.read())
        if verdict.kind is None:
            raise faults.Fault(faults.MODULE, f"{name} {verdict.error}")
        return instances.Instances.load(linkers, verdict.kind, f"{root}/{place}{artifacts.CODE}")
    except FileNotFoundError:
        raise faults.Fault(faults.MODULE, f"{name} was not compiled") from None
    except (OSError, ValueError, wasmtime.WasmtimeError) as error:
        raise faults.Fault(faults.MODULE, f"{name} cannot be loaded: {error}") from None


def _checked(answer: bytes, whose: str) -> bytes:
    """An answer, which has to be JSON; nothing at all stands for null."""
    if not answer.strip():
        return b"null"
    try:
        json.loads(answer)
    except ValueError as error:
        raise faults.Fault(faults.OUTPUT, f"{whose} what is not JSON: {error}") from None
    return answer


def _log(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _nowhere(_data: bytes) -> None:
    """The log of a rehearsal."""


def _unwatched(_store: wasmtime.Store) -> None:
    """The server ends this process when the call's time is over."""
