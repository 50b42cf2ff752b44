"""The loop of the managed Python runtime: INIT once, then one INVOKE after another, over the control socket.

An `async` handler of a function that takes several calls at a time is handed over to `tasks` after INIT.

Ends with the process, never returns. When the socket closes, the server is gone and so is the reason to live. User
code runs in this same process: nothing here is secret from it, and nothing it does here can reach beyond the sandbox.
"""

from __future__ import annotations

import contextlib
import json
import os
import pkgutil
import random
import select
import socket
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn

from mayfly.sandbox import frames
from mayfly.sandbox.python import (
    apis,
    children,
    failures,
    handler,
    hooks,
    imports,
    launcher,
    logs,
    preload,
    restore,
    results,
    search,
    streams,
    tasks,
    warm,
)
from mayfly.sandbox.python.context import Fixed, context_of

if TYPE_CHECKING:  # only templates need it, and where there are none its imports take a fifth of a start
    from mayfly.sandbox.python import ahead

_CHUNK = 1 << 16
_LONG_CHUNK = 1 << 20  # of a frame that has begun


def forget_modules() -> None:
    """Take Mayfly's own modules out of a function's sight: `import mayfly` finds what the function has, or nothing."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "mayfly"]:
        del sys.modules[name]


def open_output() -> None:
    """Both streams write each line at once, into the same pipe, so that their lines keep their order.

    A template does it beforehand: what counts is the number of the descriptor, not what it refers to by then.
    """
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]


def serve(
    control: socket.socket,
    places: search.Places = search.INSIDE,
    ready: ahead.Ready | None = None,
    *,
    wrapped: bool = False,
    waits: str = "",
) -> NoReturn:
    """Speak to the server at the other end of `control` until the end; `ready` in a fork of a shared template.
    `wrapped`: the variables are there, as the function's wrapper has left them. `waits`: nobody waits for it yet, and
    its code lies there."""
    status = 1
    # A child made by fork (multiprocessing) has no business on the control socket.
    os.register_at_fork(after_in_child=control.close)
    try:
        runtime = Runtime(control, places, ready, wrapped=wrapped)
        if waits:
            runtime.get_ready(waits)
        runtime.run()
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


class Runtime:
    """Used by `serve`, and by `rehearsal`."""

    def __init__(
        self, control: socket.socket, places: search.Places, ready: ahead.Ready | None, *, wrapped: bool = False
    ) -> None:
        control.setblocking(True)
        control.set_inheritable(False)
        self._control = control
        self._places = places
        self._ready = ready
        self._wrapped = wrapped
        self._current = ready.current if ready is not None else logs.Current()
        self._function: handler.Handler | None = None
        self._decoder = frames.Decoder()
        self._fixed = Fixed()
        self._ascii_only = True
        self._concurrency = 1
        self._at: tuple[str, list[str]] = ("", [])  # where it found itself, and what it added to the search
        self._waiting: deque[frames.Frame] = deque()
        self._unread = False  # the server may not have read yet what was printed before the last answer

    def get_ready(self, task_root: str) -> None:
        """Do ahead of INIT what that will ask for, as far as only the code, and no variable, decides about it."""
        children.watch()
        if self._ready is None:
            with contextlib.suppress(OSError):
                self._find_myself(task_root, [])
                finder: Any = pkgutil.get_importer(task_root)
                if finder is not None:
                    finder.find_spec("_no_such_module")  # it looks into the directory when it is first asked

    def _find_myself(self, task_root: str, extra: list[str]) -> None:
        """Be at the code, and nobody else."""
        search.set_up(task_root, self._places, extra)
        random.seed()
        restore.renew_identity()
        self._at = task_root, extra

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
                elif frame.kind == frames.LAUNCHER:
                    self._become_launcher(frame)
                    return
            adopted.reap_now_and_then(began_at)

    def act(self, script: bytes) -> None:
        """Do what `run` would do if it heard `script`."""
        for frame in self._decoder.feed(script):
            if frame.kind == frames.INIT:
                self._init(frame)
            else:
                self._invoke(frame)

    def _become_launcher(self, frame: frames.Frame) -> None:
        meta = frame.meta
        if self._ready is not None:
            self._ready.restore(meta["environment"])
            loaded = warm.Warm(self._ready.renew, self._ready.inherited)
        else:
            set_environment(meta["environment"])
            search.set_up(meta["task_root"], self._places, search.added(meta["environment"], meta["task_root"]))
            loaded = warm.Warm(random.seed, frozenset())
        self._answer(frames.READY, {})
        launcher.Launcher(self._control, loaded).run()

    def _run_concurrently(self, early: list[frames.Frame]) -> None:
        assert self._function is not None
        tasks.Tasks(self._control, self._decoder, self._function, self._current, self._fixed, self._ascii_only).run(
            early
        )

    def _init(self, frame: frames.Frame) -> None:
        begin = time.perf_counter()
        meta = frame.meta
        if self._wrapped:
            own = dict(os.environ)
            meta = {**meta, "environment": own, "handler": own.get("_HANDLER", meta["handler"])}
        about: dict[str, Any] = {}
        begun = self._ready.record if self._ready is not None else None
        record = begun if begun is not None else imports.Record()
        try:
            self._set_up(meta, about)
            if self._ready is not None:
                self._function = self._ready.function
            if self._function is None:
                record.begin()
                self._function = handler.find(meta["handler"])
            apis.reach(sys.modules.get("botocore.httpsession"))  # the function's own
            self._run_hooks(meta["environment"])
        except Exception as error:  # user code may raise anything
            restoring = isinstance(error, hooks.AfterRestoreError)
            failure = failures.describe(error.__cause__ if restoring and error.__cause__ else error, "")
            failures.report(failure)
            self._answer(frames.INIT_ERROR, {"restoring": restoring}, _text(failure))
            sys.exit(1)
        if meta.get("concurrency", 1) > 1 and handler.is_async(self._function):
            self._concurrency = about["concurrency"] = meta["concurrency"]
            about["shares"] = True
        init_ms = (time.perf_counter() - begin) * 1000
        said = {"init_ms": round(init_ms, 3), **about, "imports": imports.shortened(record.modules)}
        quiet = streams.settle()
        self._unread = not quiet
        self._control.sendall(frames.encode(frames.READY, said, flags=quiet))
        record.end()

    def _set_up(self, meta: dict[str, Any], about: dict[str, Any]) -> None:
        """Everything of init that comes before the function's code; `about` gets what READY tells of it."""
        environment: dict[str, str] = meta["environment"]
        begin = time.perf_counter()
        if self._ready is not None:
            self._ready.restore(environment)
            about["restore_ms"] = round((time.perf_counter() - begin) * 1000, 3)
        else:
            set_environment(environment)
            here = meta["task_root"], search.added(environment, meta["task_root"])
            if self._at != here:
                self._find_myself(*here)
            preload.fit(environment)
            logs.set_up(environment, self._current)
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
        self._current.tenant_id = fields[6]
        if trace_id:
            os.environ["_X_AMZN_TRACE_ID"] = trace_id
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        began_at = time.perf_counter()
        if frame.flags & frames.AHEAD:
            fields[1] = str(int(time.time() * 1000) + int(fields[1]))
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


def set_environment(environment: dict[str, str]) -> None:
    """Have these variables, no others, and the time zone that they say."""
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
