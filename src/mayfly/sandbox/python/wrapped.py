"""The managed Python runtime as a program of its own, which a function's wrapper executes: a file, run as a script.

It speaks over the descriptor that `managed` left open. Variables are those that the wrapper leaves it with, the
handler's name among them.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import types

CONTROL = 3


def find_ours() -> None:
    """Have what this stands on found beside it, and nothing of it by the function."""
    here = os.path.dirname(os.path.abspath(__file__))
    sandbox = os.path.dirname(here)
    for name, place in (("mayfly", os.path.dirname(sandbox)), ("mayfly.sandbox", sandbox)):
        module = types.ModuleType(name)
        module.__path__ = [place]
        sys.modules[name] = module
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]


def main() -> None:
    find_ours()
    bootstrap = importlib.import_module("mayfly.sandbox.python.bootstrap")
    bootstrap.forget_modules()
    bootstrap.open_output()
    sys.argv[:] = [""]
    bootstrap.serve(socket.socket(fileno=CONTROL), wrapped=True)


if __name__ == "__main__":
    main()
