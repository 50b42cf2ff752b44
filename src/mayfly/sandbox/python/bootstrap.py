"""The loop of the managed Python runtime: INIT once, then one INVOKE after another, over the control socket.

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
from collections.abc import Iterator
from typing import Any, NoReturn

from mayfly.sandbox import frames
from mayfly.sandbox.python import ahead, children, failures, handler, imports, logs, preload, restore, results, search
from mayfly.sandbox.python.context import LambdaContext, parse_json

_CHUNK = 1 << 18
_MODULE = compile("def handler(event, context):\n    return event\n", "warm", "exec")


def forget_modules() -> None:
    """Take Mayfly's own modules out of a function's sight: `import mayfly` finds what the function has, or nothing."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "mayfly"]:
        del sys.modules[name]


def warm() -> None:
    """Do without effect what every init does, in a process that has time: memory shared with the template is copied
    when it is first written to, reference counts included, and that is most of the time of a small function's init.

    Nothing more than that: what a function may never need, as the finders of all other directories, would cost each
    instance memory."""
    path, sys.path[:] = sys.path[:], ["/opt"]
    for name in ("_no_such_module", "json"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    sys.path[:] = path
    sys.path_importer_cache.pop("/opt", None)
    exec(_MODULE, {})  # noqa: S102 (a constant)
    random.seed()
    os.environ["WARM"] = os.environ.pop("WARM", "")
    del os.environ["WARM"]
    logs.set_up({}, logs.Current())
    for frame in frames.Decoder().feed(frames.encode(frames.READY, {"init_ms": 1.5}, b"null")):
        results.encode(json.loads(frame.payload), ascii_only=True)
    _flush()


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
        _flush()
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
        # A child made by fork (multiprocessing) has no business on the control socket.
        os.register_at_fork(after_in_child=control.close)

    def run(self) -> None:
        for frame in self._frames():
            if frame.kind == frames.INIT:
                self._init(frame)
            elif frame.kind == frames.INVOKE:
                self._invoke(frame)
            children.reap_adopted()

    def _frames(self) -> Iterator[frames.Frame]:
        while True:
            data = self._control.recv(_CHUNK)
            if not data:
                return
            yield from self._decoder.feed(data)

    def _init(self, frame: frames.Frame) -> None:
        begin = time.perf_counter()
        about: dict[str, Any] = {}
        record = imports.Record()
        try:
            self._set_up(frame.meta, about)
            if self._ready is not None:
                self._function = self._ready.function
            if self._function is None:
                with record:
                    self._function = handler.find(frame.meta["handler"])
        except Exception as error:  # user code may raise anything
            failure = failures.describe(error, "")
            self._report(failure)
            self._answer(frames.INIT_ERROR, {}, _text(failure))
            sys.exit(1)
        self._init_ms = (time.perf_counter() - begin) * 1000
        # An INVOKE that is here already was sent before anybody knew how long init would take.
        self._invoked_early = bool(self._decoder.buffered or select.select([self._control], [], [], 0)[0])
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
        children.watch()

    def _invoke(self, frame: frames.Frame) -> None:
        meta = frame.meta
        request_id: str = meta["request_id"]
        self._current.request_id = request_id
        trace_id = meta.get("trace_id")
        if trace_id is None:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        else:
            os.environ["_X_AMZN_TRACE_ID"] = trace_id
        deadline_ms = int(meta["deadline_ms"] + (self._init_ms if self._invoked_early else 0))
        self._invoked_early = False
        try:
            result = self._call(frame, deadline_ms)
        except Exception as error:  # user code may raise anything
            failure = failures.describe(error, request_id)
            self._report(failure)
            self._answer(frames.ERROR, {"fatal": False}, _text(failure))
        else:
            self._answer(frames.RESULT, {}, result)

    def _call(self, frame: frames.Frame, deadline_ms: int) -> bytes:
        assert self._function is not None
        meta = frame.meta
        context = LambdaContext(
            meta["request_id"],
            meta["arn"],
            deadline_ms,
            _header(meta.get("client_context"), "Client Context"),
            _header(meta.get("identity"), "Cognito Identity"),
        )
        try:
            event = json.loads(frame.payload)
        except ValueError as error:
            raise failures.RuntimeFault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
        return results.encode(self._function(event, context), _ascii_only())

    def _report(self, failure: dict[str, Any]) -> None:
        """Into the function's log, as AWS does it."""
        if logs.wants_json(os.environ):
            now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
            sys.stdout.write(json.dumps({"timestamp": now, "level": "ERROR", **failure}, ensure_ascii=False) + "\n")
        else:
            sys.stdout.write(failures.log_line(failure))

    def _answer(self, kind: int, meta: dict[str, Any], payload: bytes = b"") -> None:
        _flush()
        self._control.sendall(frames.encode(kind, meta, payload))


def _header(text: str | None, name: str) -> dict[str, Any] | None:
    try:
        return parse_json(text)
    except ValueError as error:
        message = f"Unable to parse {name} JSON: {error}"
        raise failures.RuntimeFault("Runtime.LambdaContextUnmarshalError", message) from None


def _ascii_only() -> bool:
    """The runtimes up to python3.11 escape what is not ASCII; later ones do not. Either is the same JSON."""
    name = os.environ.get("AWS_EXECUTION_ENV", "")
    return name.rpartition("python3.")[2] in {"8", "9", "10", "11"}


def _set_environment(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    if "TZ" in environment:
        time.tzset()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except Exception:  # noqa: S112 (a function may have put anything there, or closed it)
            continue


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
