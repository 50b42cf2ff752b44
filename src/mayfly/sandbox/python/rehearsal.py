"""Doing all that init and a call do, without effect, before it counts.

In a template, so that its forks write to less of its memory: code that ran has settled, and what looked attributes up
has found them. In a fork that has time before it becomes an instance, because memory shared with the template is copied
when it is first written to, reference counts included, and that was most of the time of a small function's init: 200
pages, of which a rehearsal leaves 30. Called by the templates of `sandbox.agent`.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
from typing import cast

from mayfly.sandbox import frames
from mayfly.sandbox.python import ahead, bootstrap, search, streams

_MODULE = compile("def handler(event, context):\n    return event\n", "warm", "exec")
# As many variables as a function has, and as long.
_USUAL = {"TZ": ":UTC", "TOKEN": "-" * 400, **{f"REHEARSED_VARIABLE_{n:02}": "-" * (20 + 2 * n) for n in range(24)}}


def rehearse(directory: str) -> None:
    """In the template of an interpreter. `directory` is empty."""
    path, known, environment, here = list(sys.path), set(sys.path_importer_cache), dict(os.environ), os.getcwd()
    try:
        _be_a_runtime(directory)
    finally:
        sys.path[:] = path
        for place in set(sys.path_importer_cache) - known:
            del sys.path_importer_cache[place]
        bootstrap.set_environment(environment)
        os.chdir(here)
    exec(_MODULE, {})  # noqa: S102 (a constant)
    streams.flush()


def warm(directory: str) -> None:
    """In a fork of that template; as `rehearse`, with the finder of the standard library alone: those of all other
    directories would cost each instance memory, and many a function never needs them."""
    path = sys.path[:]
    sys.path[:] = [os.path.dirname(os.__file__)]
    try:
        rehearse(directory)
    finally:
        sys.path[:] = path


def warm_shared(ready: ahead.Ready) -> None:
    """In a shared template, and in its forks.

    Packages may have put something of their own in the place of what is rehearsed. So there is no socket, which is
    replaced most of all; and what fails or complains in the template, where nobody hears it, is not rehearsed in forks.
    """
    ready.warm()
    exec(_MODULE, {})  # noqa: S102 (a constant)
    if not ready.rehearses:
        return
    environment, nobody = dict(os.environ), _Nobody()
    try:
        runtime = bootstrap.Runtime(cast(socket.socket, nobody), search.INSIDE, ready.understudy())
        runtime.act(_script(os.getcwd()))
    except (Exception, SystemExit):  # whatever has been put there
        ready.rehearses = False
    finally:
        bootstrap.set_environment(environment)
        streams.flush()
    if nobody.heard != [frames.READY, frames.RESULT]:
        ready.rehearses = False


def _be_a_runtime(directory: str) -> None:
    """For one call of a function that any two arguments suit. Load a module, too, which nothing else has loaded."""
    sys.path.insert(0, directory)
    for name in ("_no_such_module", ahead.SMALL_MODULE):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    sys.modules.pop(ahead.SMALL_MODULE, None)
    server, control = socket.socketpair()
    with server, control:
        server.sendall(_script(directory))
        server.shutdown(socket.SHUT_WR)
        bootstrap.Runtime(control, search.Places((), ""), None).run()


def _script(directory: str) -> bytes:
    """What a runtime hears that runs one call."""
    meta = {"handler": "operator.eq", "environment": _USUAL, "task_root": directory}
    return frames.encode(frames.INIT, meta) + frames.encode_call(1, frames.call_head("id", 0, "arn"), b"{}")


class _Nobody:
    """Takes the place of a control socket, and notes the kinds of the frames that are sent there."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def sendall(self, data: bytes) -> None:
        self.heard.append(frames.HEADER.unpack_from(data)[0])

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def set_inheritable(self, flag: bool) -> None:
        """There is nothing to inherit."""

    def fileno(self) -> int:
        return 0  # nothing but the end comes from there
