"""Which modules an init imported, from where, and how long each took: what `python -X importtime` tells, in a start.

The loaders' `exec_module` is replaced for the time of init, which costs some two microseconds a module. Only imports of
the thread that started the record are in it.
"""

from __future__ import annotations

import importlib.machinery
import sys
import threading
import time
from types import ModuleType
from typing import Any, NamedTuple

# More modules than this, and the rest is not recorded: a record must fit into a frame.
MOST = 5000
_MOST_BYTES = 900_000
_LOADERS: tuple[Any, ...] = (importlib.machinery.SourceFileLoader, importlib.machinery.ExtensionFileLoader)
# Frames of the import system are left out of tracebacks and of the stack levels of warnings; so is the one added here.
_IMPORT_SYSTEM = "<frozen importlib._bootstrap_external>"


class Module(NamedTuple):
    """One module that was loaded."""

    name: str
    path: str  # of the file
    total_us: int
    own_us: int  # without what it imported


class Record:
    """Modules in the order in which their loading completed.

    A template begins one before it is forked, and a fork ends it behind its answer, because to replace the loaders'
    methods makes the interpreter forget what it had learnt of their classes: a good part of a small function's init.
    """

    def __init__(self) -> None:
        self.modules: list[Module] = []
        self._inner = [0]  # for each module that is loading, what those within it took
        self._thread = threading.get_ident()
        self._originals: list[tuple[Any, Any]] = []

    def begin(self) -> None:
        """Idempotent."""
        if self._originals:
            return
        for loader in _LOADERS:
            self._originals.append((loader, loader.__dict__.get("exec_module")))
            loader.exec_module = self._timed(loader.exec_module)

    def end(self) -> None:
        """Put everything back. Idempotent."""
        originals, self._originals = self._originals, []
        for loader, original in originals:
            if original is None:
                del loader.exec_module
            else:
                loader.exec_module = original

    def _timed(self, execute: Any) -> Any:
        clock, thread, inner = time.perf_counter_ns, threading.get_ident, self._inner

        def exec_module(loader: Any, module: ModuleType) -> None:
            if thread() != self._thread:
                execute(loader, module)
                return
            inner.append(0)
            began = clock()
            loaded = False
            try:
                execute(loader, module)
                loaded = True
            finally:
                took = clock() - began
                within = inner.pop()
                inner[-1] += took
                if loaded:
                    self._add(module, took, took - within)

        exec_module.__code__ = exec_module.__code__.replace(co_filename=_IMPORT_SYSTEM)
        return exec_module

    def _add(self, module: ModuleType, took_ns: int, own_ns: int) -> None:
        spec = module.__spec__
        if spec is not None and len(self.modules) < MOST:
            path = spec.origin if isinstance(spec.origin, str) else ""
            self.modules.append(Module(spec.name, path[:256], took_ns // 1000, own_ns // 1000))


def shortened(modules: list[Module]) -> list[Module]:
    """As much of a record as fits into a frame's JSON beside the rest."""
    room, kept = _MOST_BYTES, []
    for module in modules:
        room -= len(module.name) * 6 + len(module.path) * 6 + 40  # the most that JSON makes of them
        if room < 0:
            break
        kept.append(module)
    return kept


def loaded_from(directories: tuple[str, ...]) -> dict[str, str]:
    """The modules that are loaded from below any of `directories`, and the top-level name their file lies under there:
    modules of native code may call themselves what they like."""
    beginnings = sorted((f"{directory.rstrip('/')}/" for directory in directories), key=len, reverse=True)
    found = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if not isinstance(path, str):
            continue
        for beginning in beginnings:
            if path.startswith(beginning):
                found[name] = path[len(beginning) :].partition("/")[0].partition(".")[0]
                break
    return found
