"""The two halves of a debugger: what goes into the instance, and what an editor is told. By language.

Python's is debugpy: the one of this environment, or one that uv installs into the cache. Node.js has its own.
"""

import importlib.util
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mayfly.cli.dependencies import Installer
from mayfly.cli.packaging import Part, files
from mayfly.cli.swapping import Content, archived
from mayfly.errors import CallerError

FOLDER, LOADER = "_mayfly_debugger", "_mayfly_debug"
_PORTS = range(20_000, 60_000)  # in the instance's network, which it shares with nobody, or with all of a machine
# Of the debugger itself: what attaches to running processes of other systems, and is never used here.
_UNUSED = (".dll", ".dylib", ".exe", ".pyd", ".c", ".cpp", ".pyx", ".pxd", ".h", ".lib")

# Runs in the instance instead of the function's module, which it loads: with the debugger already there.
_PYTHON = '''"""Begins to listen for a debugger, then loads the function. Written by `mayfly debug`."""

import importlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "{folder}"))
import debugpy

sys.path.pop(0)
debugpy.listen(("127.0.0.1", {port}), in_process_debug_adapter=True)
if {wait}:
    debugpy.wait_for_client()
os.environ["_HANDLER"] = "{handler}"
_module, _, _name = "{handler}".rpartition(".")
handler = getattr(importlib.import_module(_module.replace("/", ".")), _name)
'''


class UndebuggableError(CallerError):
    """There is no debugger for the function."""


@dataclass(frozen=True, slots=True)
class Debugger:
    """What to ask the server for, and what to tell an editor."""

    language: str
    port: int  # in the instance
    usual: int  # that editors expect on this machine
    archive: bytes = b""
    handler: str | None = None
    variables: tuple[tuple[str, str], ...] = ()

    def launch(self, name: str, port: int, local: str, remote: str) -> dict[str, Any]:
        """An entry of VS Code's launch.json."""
        if self.language == "python":
            return {
                "name": f"Mayfly: {name}",
                "type": "debugpy",
                "request": "attach",
                "connect": {"host": "127.0.0.1", "port": port},
                "pathMappings": [{"localRoot": local, "remoteRoot": remote}],
                "justMyCode": True,
            }
        return {
            "name": f"Mayfly: {name}",
            "type": "node",
            "request": "attach",
            "address": "127.0.0.1",
            "port": port,
            "localRoot": local,
            "remoteRoot": remote,
            "skipFiles": ["<node_internals>/**", "/var/runtime/**"],
        }


def debugger(runtime: str, handler: str, installer: Installer, *, wait: bool) -> Debugger:
    """That of a function's runtime; `UndebuggableError`, `DependencyError`. `wait`: init waits until it is attached."""
    port = random.choice(_PORTS)  # noqa: S311  # of an instance's own network
    if runtime.startswith("python"):
        loader = _PYTHON.format(folder=FOLDER, port=port, wait=wait, handler=handler)
        found = {f"{LOADER}.py": Content(loader.encode(), executable=False)}
        found.update(_debugpy(runtime, installer))
        variables = (("PYDEVD_DISABLE_FILE_VALIDATION", "1"),)
        return Debugger("python", port, 5678, archived(found), f"{LOADER}.handler", variables)
    if runtime.startswith("nodejs"):
        option = f"--inspect{'-wait' if wait else ''}=127.0.0.1:{port}"
        return Debugger("nodejs", port, 9229, variables=(("NODE_OPTIONS", option),))
    raise UndebuggableError(
        f"there is no debugger for {runtime or 'container images'}; there is one for Python and Node.js"
    )


def _debugpy(runtime: str, installer: Installer) -> Iterator[tuple[str, Content]]:
    """Its files, as they go into the package."""
    own = importlib.util.find_spec("debugpy")
    if own is not None and own.origin is not None:
        roots = [Part(Path(own.origin).parent, "debugpy")]
    else:
        roots = [Part(installer.named("debugpy", installer.python(runtime)))]
    for name, path in files(roots):
        if not name.endswith(_UNUSED) and ".dist-info/" not in name and (content := Content.of(path)) is not None:
            yield f"{FOLDER}/{name}", content


def snippet(entry: dict[str, Any]) -> str:
    """launch.json with one entry."""
    return json.dumps({"version": "0.2.0", "configurations": [entry]}, indent=2)
