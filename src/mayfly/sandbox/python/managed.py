"""The managed runtime of a function as one program of several: where external extensions run beside it.

A sandbox of programs is spoken to at the Runtime API. So a process stands between that and the runtime, which speaks
frames as ever: it asks for calls, hands them on, and brings answers back, whole or in parts. `launcher` forks it; its
runtime is a child of its own, which ends with it, and how the runtime ends, it ends. What it is told to end by, it
passes on, because functions may want to tidy up. No import: in the file system it is in, there may be nothing of ours.
"""

from __future__ import annotations

import binascii
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NoReturn

from mayfly.sandbox import frames
from mayfly.sandbox.python import wrappers

# What may be said to the launcher with the name of a runtime: that the function's wrapper is to execute it, and what
# tells the function's layers from others.
WRAPPED, LAYERS = "wrapped", "layers="
Serve = Callable[[socket.socket], NoReturn]  # become the runtime at the other end of this

CODE = "/var/runtime/.mayfly/sandbox"  # where this lies in sandboxes, beside what it stands on
_PROGRAM = f"{CODE}/python/wrapped.py"
CONTROL = 3  # the descriptor that a runtime speaks over
_CHUNK = 1 << 18
_OPTIONS = ("-s", "-S", "-X", "utf8")  # its own PYTHONPATH counts, packages of the machine do not
_VERSION = "/2018-06-01/runtime"
_HEADERS = ("aws-request-id", "deadline-ms", "invoked-function-arn", "trace-id", "client-context", "cognito-identity")
_TENANT = "aws-tenant-id"
_USUAL = sorted({*range(1, 32)} & {*signal.valid_signals()} - {signal.SIGKILL, signal.SIGSTOP})

_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # by every Python; what is executed finds all as usual


class _EndedError(Exception):
    """One of the two others has ended."""


def become(serve: Serve, environment: Mapping[str, str], directory: str, words: Sequence[str]) -> NoReturn:
    """In a fork of the launcher, which has this directory and these variables for it. `words`: see above; a runtime
    that is wrapped is that of Python."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in _USUAL:
            signal.signal(number, signal.SIG_DFL)
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        mine, theirs = socket.socketpair()
        runtime = os.fork()
        if runtime == 0:
            _be_runtime(partial(_execute, environment) if WRAPPED in words else serve, theirs)
        signal.signal(signal.SIGTERM, lambda number, _: os.kill(runtime, number))
        os.dup2(mine.fileno(), CONTROL)
        _keep_only(CONTROL)
        try:
            _Between(socket.socket(fileno=CONTROL), environment, directory).run(words)
        except (_EndedError, OSError, frames.FrameError):
            os.close(CONTROL)  # so that the runtime ends as well
        _, status = os.waitpid(runtime, 0)
        if os.WIFSIGNALED(status):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), os.WTERMSIG(status))
        status = os.WEXITSTATUS(status)
    finally:
        os._exit(status)


def _be_runtime(serve: Serve, control: socket.socket) -> NoReturn:
    try:
        os.dup2(control.fileno(), CONTROL)
        _keep_only(CONTROL)
        serve(socket.socket(fileno=CONTROL))
    finally:
        os._exit(1)


def _execute(environment: Mapping[str, str], _control: socket.socket) -> NoReturn:
    """Become the function's wrapper, which executes the rest of its command line."""
    said = wrappers.complaint(environment)
    if said is None:
        wrapper = environment[wrappers.VARIABLE]
        for number in _IGNORED:
            signal.signal(number, signal.SIG_DFL)
        try:
            os.execve(wrapper, [wrapper, sys.executable, *_OPTIONS, _PROGRAM], dict(environment))
        except OSError as error:
            said = f"{wrapper}: {error.strerror}\n", 126
    text, status = said
    os.write(2, text.encode())
    os._exit(status)


def _keep_only(last: int) -> None:
    """Close all descriptors above: the launcher's own are nobody else's."""
    os.closerange(last + 1, max(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1024))


class _Between:
    """Both sides."""

    def __init__(self, control: socket.socket, environment: Mapping[str, str], directory: str) -> None:
        self._control = control
        self._environment = environment
        self._directory = directory
        self._decoder = frames.Decoder()
        self._api = _Api(environment["AWS_LAMBDA_RUNTIME_API"], control)

    def run(self, words: Sequence[str]) -> None:
        """Until one of them ends: `_EndedError`, or OSError."""
        heard = self._heard()
        layers = [word[len(LAYERS) :] for word in words if word.startswith(LAYERS)]
        meta = {
            "handler": self._environment.get("_HANDLER", ""),
            "environment": dict(self._environment),
            "task_root": self._directory,
            **({"layers": layers[0]} if layers else {}),
        }
        self._control.sendall(frames.encode(frames.INIT, meta))
        for frame in heard:
            if frame.kind == frames.INIT_ERROR:
                self._api.ask("POST", "/init/error", _error_type(frame.payload), frame.payload)
            elif frame.kind == frames.READY:
                break
        number = 0
        while True:
            number += 1
            said, event = self._api.ask("GET", "/invocation/next")
            texts = [said.get(f"lambda-runtime-{name}", "") for name in (*_HEADERS, _TENANT)]
            head = frames.call_head(texts[0], int(texts[1]), *texts[2:])
            self._control.sendall(frames.encode_call(number, head, event))
            self._answer(f"/invocation/{texts[0]}", number, heard)

    def _answer(self, path: str, number: int, heard: Iterator[frames.Frame]) -> None:
        """What the runtime answers to a call, to the Runtime API."""
        in_parts = False
        for frame in heard:
            if frame.number != number:
                continue
            if frame.kind == frames.STREAM:
                in_parts = True
                self._api.begin(f"{path}/response", frame.meta.get("content_type", ""))
            elif frame.kind == frames.CHUNK:
                self._api.part(frame.payload)
                self._control.sendall(frames.encode(frames.MORE, {"bytes": len(frame.payload)}, b"", number))
            elif frame.kind == frames.RESULT:
                if in_parts:
                    self._api.end({})
                else:
                    self._api.ask("POST", f"{path}/response", {}, frame.payload)
                return
            elif frame.kind == frames.ERROR:
                if in_parts:
                    self._api.end({**_error_type(frame.payload), "lambda-runtime-function-error-body": frame.payload})
                else:
                    self._api.ask("POST", f"{path}/error", _error_type(frame.payload), frame.payload)
                return

    def _heard(self) -> Iterator[frames.Frame]:
        while data := self._control.recv(_CHUNK):
            yield from self._decoder.feed(data)
        raise _EndedError


class _Api:
    """A client of the Runtime API, with one connection; `_EndedError` also when the runtime ends meanwhile."""

    def __init__(self, address: str, control: socket.socket) -> None:
        host, _, port = address.rpartition(":")
        self._host = address
        self._control = control
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is small need not wait for more
        self._read = b""

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[dict[str, str], bytes]:
        """The headers and the body of the reply."""
        self._begin(method, path, {**(headers or {}), "content-length": str(len(body))}, body)
        return self._reply()

    def begin(self, path: str, content_type: str) -> None:
        """An answer comes in parts."""
        headers = {"lambda-runtime-function-response-mode": "streaming", "transfer-encoding": "chunked"}
        self._begin("POST", path, {**headers, **({"content-type": content_type} if content_type else {})})

    def part(self, data: bytes) -> None:
        if data:
            self._socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self, trailers: Mapping[str, str | bytes]) -> None:
        lines = ["0"]
        for name, value in trailers.items():
            lines.append(f"{name}: {value if isinstance(value, str) else _base64(value)}")
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        self._reply()

    def _begin(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        lines = [f"{method} {_VERSION}{path} HTTP/1.1", f"host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket.sendall("\r\n".join((*lines, "", "")).encode() + body)

    def _reply(self) -> tuple[dict[str, str], bytes]:
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        headers = {}
        for line in head.decode("utf-8", "replace").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        while len(self._read) < length:
            self._more()
        body, self._read = self._read[:length], self._read[length:]
        return headers, body

    def _more(self) -> None:
        readable, _, _ = select.select([self._socket, self._control], [], [])
        if self._control in readable and not self._control.recv(1, socket.MSG_PEEK):
            raise _EndedError
        if self._socket in readable:
            data = self._socket.recv(_CHUNK)
            if not data:
                raise _EndedError
            self._read += data


def _error_type(payload: bytes) -> dict[str, str]:
    """The header by which an error says what it is called."""
    try:
        named = json.loads(payload).get("errorType")
    except (ValueError, AttributeError):
        named = None
    plain = isinstance(named, str) and named.isprintable() and named.isascii()
    return {"lambda-runtime-function-error-type": named} if plain else {}


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
