"""Where a function's imports are looked for, and which preloaded modules make room for the function's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mayfly.sandbox.python import preload


class Places(NamedTuple):
    """Where the runtime finds what is not the function's own code."""

    layers: tuple[str, ...]  # directories; what one has hides the same in a later one
    runtime: str  # boto3 and the like


INSIDE = Places(("/opt",), "/var/runtime")
# A function cannot replace these: the interpreter itself stands on them.
_KEPT = {*sys.builtin_module_names, "os", "io", "abc", "codecs", "encodings", "importlib", "site", "stat", "types"}


def added(environment: Mapping[str, str], task_root: str) -> list[str]:
    """The directories that a function adds by PYTHONPATH, without those that are searched in any case."""
    named = environment.get("PYTHONPATH", "").split(os.pathsep)
    paths = [os.path.abspath(os.path.join(task_root, name)) for name in named if name]
    return [path for path in dict.fromkeys(paths) if path not in {os.path.abspath(task_root), INSIDE.runtime}]


def set_up(task_root: str, places: Places, extra: Sequence[str] = ()) -> None:
    """`sys.path` as AWS has it: the function, what it adds (`extra`), its layers, the runtime's packages, the standard
    library."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    task_root = os.path.abspath(task_root)
    layers = [f"{layer}/python{below}" for layer in places.layers for below in (f"/lib/{version}/site-packages", "")]
    own = [task_root, *extra, *(path for path in layers if path not in extra)]
    given = [path for path in sys.path if path not in {*own, places.runtime, ""}]
    sys.path[:] = [*own, places.runtime, *given]
    _make_room(own)
    os.chdir(task_root)


def _make_room(directories: list[str]) -> None:
    """Forget preloaded modules that the function or its layers bring themselves: theirs come first on the path.

    The packages of the runtime belong together: when one is replaced, all are loaded anew.
    """
    brought = {name for directory in directories for name in top_level(directory)} - _KEPT
    if brought.intersection(preload.PACKAGES):
        brought.update(preload.PACKAGES)
    if not any(name in sys.modules for name in brought):
        return  # without a look at every loaded module: in a fresh fork, each would cost a page
    for name in [name for name in sys.modules if name.partition(".")[0] in brought]:
        del sys.modules[name]


def top_level(directory: str) -> list[str]:
    """Names of what could be imported from a directory, and of some other things in it."""
    try:
        entries = os.listdir(directory)
    except OSError:
        return []
    return [entry.partition(".")[0] for entry in entries]
