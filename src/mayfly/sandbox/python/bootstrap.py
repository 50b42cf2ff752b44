"""The loop of the managed Python runtime: INIT once, then one INVOKE after another, over the control socket.

An `async` handler of a function that takes several calls at a time is handed over to `tasks` after INIT.

Ends with the process, never returns. When the socket closes, the server is gone and so is the reason to live. User
code runs in this same process: nothing here is secret from it, and nothing it does here can reach beyond the sandbox.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import select
import socket
import sys
import time
from collections import deque
from typing import Any, NoReturn

from mayfly.sandbox import frames
from mayfly.sandbox.python import (
    ahead,
    children,
    failures,
    handler,
    hooks,
    imports,
    logs,
    preload,
    restore,
    results,
    search,
    streams,
    tasks,
)
from mayfly.sandbox.python.context import Fixed, context_of

_CHUNK = 1 << 16
_LONG_CHUNK = 1 << 20  # of a frame that has begun
_SMALL_MODULE = "colorsys"  # of the standard library, in Python
_MODULE = compile("def handler(event, context):\n    return event\n", "warm", "exec")

# As many variables as a function has, and as long.
_USUAL = {"TZ": ":UTC", "TOKEN": "-" * 400, **{f"REHEARSED_VARIABLE_{n:02}": "-" * (20 + 2 * n) for n in range(24)}}


def forget_modules() -> None:
    """Take Mayfly's own modules out of a function's sight: `import mayfly` finds what the function has, or nothing."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "mayfly"]:
        del sys.modules[name]


def warm(directory: str) -> None:
    """`rehearse`, in a process that has time before it becomes an instance: memory shared with the template is copied
    when it is first written to, reference counts included, and that is most of the time of a small function's init.

    With the finder of the standard library alone: those of all other directories would cost each instance memory, and
    many a function never needs them."""
    path = sys.path[:]
    sys.path[:] = [os.path.dirname(os.__file__)]
    try:
        rehearse(directory)
    finally:
        sys.path[:] = path


def rehearse(directory: str) -> None:
    """Do without effect all that init and a call do, in a template, so that its forks write to less of its memory: code
    that ran has settled, and what looked attributes up has found them. `directory` is empty."""
    path, known, environment, here = list(sys.path), set(sys.path_importer_cache), dict(os.environ), os.getcwd()
    try:
        _be_a_runtime(directory)
    finally:
        sys.path[:] = path
        for place in set(sys.path_importer_cache) - known:
            del sys.path_importer_cache[place]
        _set_environment(environment)
        os.chdir(here)
    exec(_MODULE, {})  # noqa: S102 (a constant)
    streams.flush()


def _be_a_runtime(directory: str) -> None:
    """For one call of a function that any two arguments suit. Load a module, too, which nothing else has loaded."""
    sys.path.insert(0, directory)
    for name in ("_no_such_module", _SMALL_MODULE):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    sys.modules.pop(_SMALL_MODULE, None)
    meta = {"handler": "operator.eq", "environment": _USUAL, "task_root": directory}
    server, control = socket.socketpair()
    with server, control:
        server.sendall(frames.encode(frames.INIT, meta))
        server.sendall(frames.encode_call(1, frames.call_head("id", 0, "arn"), b"{}"))
        server.shutdown(socket.SHUT_WR)
        _Runtime(control, search.Places((), ""), None).run()


def open_output() -> None:
    """Both streams write each line at once, into the same pipe, so that their lines keep their order.

    A template does it beforehand: what counts is the number of the descriptor, not what it refers to by then.
    """
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]


def serve(control: socket.socket, places: search.Places = search.INSIDE, ready: ahead.Ready | None = None) -> NoReturn:
    """Speak to the server at the other end of `control` until the end; `ready` in a fork of a shared template."""
    status = 1
    # A child made by fork (multiprocessing) has no business on the control socket.
    os.register_at_fork(after_in_child=control.close)
    try:
        _Runtime(control, places, ready).run()
        status = 0
    except SystemExit as leaving:
        status = _exit_status(leaving.code)
    except BrokenPipeError:
        status = 0  # the server is gone
    except BaseException as error:  # KeyboardInterrupt and the like end a runtime as they end a program
        sys.stdout.write(failures.log_line(failures.describe(error, "")))
    finally:
        streams.flush()
        os._exit(status)


class _Runtime:
    def __init__(self, control: socket.socket, places: search.Places, ready: ahead.Ready | None) -> None:
        control.setblocking(True)
        control.set_inheritable(False)
        self._control = control
        self._places = places
        self._ready = ready
        self._current = ready.current if ready is not None else logs.Current()
        self._function: handler.Handler | None = None
        self._decoder = frames.Decoder()
        self._init_ms = 0.0
        self._invoked_early = False
        self._fixed = Fixed()
        self._ascii_only = True
        self._concurrency = 1
        self._waiting: deque[frames.Frame] = deque()
        self._unread = False  # the server may not have read yet what was printed before the last answer

    def run(self) -> None:
        receive, feed, adopted = self._control.recv, self._decoder.feed, children.Adopted()
        # Waiting in poll(2) costs a call, and saves two turns on a processor: a recv(2) that waits on a Unix socket is
        # woken, for nothing, when the server reads what was sent before it.
        readable = select.poll()
        readable.register(self._control, select.POLLIN)
        waiting = self._waiting
        while readable.poll() and (data := receive(_LONG_CHUNK if self._decoder.buffered else _CHUNK)):
            began_at = time.monotonic()
            for frame in feed(data):
                if frame.kind == frames.CONTINUE:
                    self._unread = False
                else:
                    waiting.append(frame)
            while waiting and not (self._unread and waiting[0].flags & frames.AHEAD):
                frame = waiting.popleft()
                if frame.kind == frames.INVOKE:
                    self._invoke(frame)
                elif frame.kind == frames.INIT:
                    self._init(frame)
                    if self._concurrency > 1:
                        self._run_concurrently(list(waiting))
                        return
            adopted.reap_now_and_then(began_at)

    def _run_concurrently(self, early: list[frames.Frame]) -> None:
        assert self._function is not None
        tasks.Tasks(self._control, self._decoder, self._function, self._current, self._fixed, self._ascii_only).run(
            early
        )

    def _init(self, frame: frames.Frame) -> None:
        begin = time.perf_counter()
        meta = frame.meta
        about: dict[str, Any] = {}
        record = imports.Record()
        try:
            self._set_up(meta, about)
            if self._ready is not None:
                self._function = self._ready.function
            if self._function is None:
                with record:
                    self._function = handler.find(meta["handler"])
            self._run_hooks(meta["environment"])
        except Exception as error:  # user code may raise anything
            restoring = isinstance(error, hooks.AfterRestoreError)
            failure = failures.describe(error.__cause__ if restoring and error.__cause__ else error, "")
            failures.report(failure)
            self._answer(frames.INIT_ERROR, {"restoring": restoring}, _text(failure))
            sys.exit(1)
        if meta.get("concurrency", 1) > 1 and handler.is_async(self._function):
            self._concurrency = about["concurrency"] = meta["concurrency"]
        self._init_ms = (time.perf_counter() - begin) * 1000
        # An INVOKE that is here already was sent before anybody knew how long init would take.
        self._invoked_early = bool(
            self._waiting or self._decoder.buffered or select.select([self._control], [], [], 0)[0]
        )
        self._answer(
            frames.READY, {"init_ms": round(self._init_ms, 3), **about, "imports": imports.shortened(record.modules)}
        )

    def _set_up(self, meta: dict[str, Any], about: dict[str, Any]) -> None:
        """Everything of init that comes before the function's code; `about` gets what READY tells of it."""
        environment: dict[str, str] = meta["environment"]
        begin = time.perf_counter()
        if self._ready is not None:
            self._ready.restore(environment)
            about["restore_ms"] = round((time.perf_counter() - begin) * 1000, 3)
        else:
            _set_environment(environment)
            search.set_up(meta["task_root"], self._places)
            preload.fit(environment)
            logs.set_up(environment, self._current)
            random.seed()
            restore.renew_identity()
        self._fixed = Fixed.of(environment)
        self._ascii_only = results.ascii_only(environment)
        children.watch()

    def _run_hooks(self, environment: dict[str, str]) -> None:
        """Those of SnapStart; the ones before a snapshot only if that was not done in a template."""
        if self._ready is not None and self._ready.function is not None:
            hooks.run_after_restore()
        elif hooks.wanted(environment):
            hooks.run_before_snapshot()
            hooks.run_after_restore()

    def _invoke(self, frame: frames.Frame) -> None:
        fields = frames.call_fields(frame.head)
        request_id, trace_id = fields[0], fields[3]
        self._current.request_id = request_id
        if trace_id:
            os.environ["_X_AMZN_TRACE_ID"] = trace_id
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        began_at = time.perf_counter()
        if frame.flags & frames.AHEAD:
            fields[1] = str(int(time.time() * 1000) + int(fields[1]))
        elif self._invoked_early:
            fields[1] = str(int(int(fields[1]) + self._init_ms))
            self._invoked_early = False
        assert self._function is not None
        try:
            context = context_of(fields, self._fixed)
            result = results.encode(self._function(results.event_of(frame.payload), context), self._ascii_only)
        except Exception as error:  # user code may raise anything
            failure = failures.describe(error, request_id)
            failures.report(failure)
            self._unread = True
            self._answer(frames.ERROR, {"fatal": False}, _text(failure), frame.number)
        else:
            quiet = streams.settle()
            self._unread = not quiet
            took = frames.took(time.perf_counter() - began_at)
            self._control.sendall(frames.encode_result(frame.number, result, quiet | took))

    def _answer(self, kind: int, meta: dict[str, Any], payload: bytes = b"", number: int = 0) -> None:
        streams.flush()
        self._control.sendall(frames.encode(kind, meta, payload, number))


def _set_environment(environment: dict[str, str]) -> None:
    zone = os.environ.get("TZ")
    for name in list(os.environ):
        if name not in environment:
            del os.environ[name]
    os.environ.update(environment)
    if os.environ.get("TZ") != zone:
        time.tzset()


def _text(failure: dict[str, Any]) -> bytes:
    return json.dumps(failure).encode()


def _exit_status(code: object) -> int:
    """What `sys.exit(code)` means to the outside."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1
