"""The runtime as a process of its own, without a template: how the `process` level starts it."""

from __future__ import annotations

import os
import socket
import sys
from typing import NoReturn

from mayfly.sandbox.python import bootstrap, search


def main(descriptor: int, runtime: str, layers: list[str]) -> NoReturn:
    """Speak over `descriptor`; find packages in `runtime` and `layers`, the first one first."""
    bootstrap.forget_modules()
    bootstrap.open_output()
    sys.argv[:] = [""]
    os.umask(0o022)
    bootstrap.serve(socket.socket(fileno=descriptor), search.Places(tuple(layers), runtime))
