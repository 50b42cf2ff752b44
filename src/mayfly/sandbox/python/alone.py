"""The runtime as a process of its own, without a template: how the `process` level starts it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any, NoReturn, Optional

from mayfly.sandbox.agent import residents
from mayfly.sandbox.python import bootstrap, search


def main(
    descriptor: int,
    lifeline: int,
    runtime: str,
    layers: list[str],
    described: Optional[Mapping[str, Any]],  # noqa: UP045 (evaluated on Python 3.9 too)
) -> NoReturn:
    """Speak over `descriptor`; find packages in `runtime` and `layers`, the first one first. `described`: see
    `residents.of`.

    `lifeline` is the read end of a pipe that the server holds open: when it closes, the server is dead, and the whole
    process group goes, whatever the function is doing.
    """
    os.set_inheritable(lifeline, False)
    threading.Thread(target=_follow, args=(lifeline,), name="lifeline", daemon=True).start()
    resident = residents.of(described) if described is not None else None
    bootstrap.forget_modules()
    bootstrap.open_output()
    sys.argv[:] = [""]
    os.umask(0o022)
    if resident is not None:
        resident.serve(socket.socket(fileno=descriptor), {})
    bootstrap.serve(socket.socket(fileno=descriptor), search.Places(tuple(layers), runtime))


def _follow(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)
