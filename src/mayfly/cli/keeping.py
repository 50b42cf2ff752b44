"""Folders that are made once for a key, and kept: of dependencies, of tools. Safe for threads and for processes."""

import os
import shutil
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Kept:
    """Below `root`. One of it serves all threads of a process, so that none makes what another is making."""

    root: Path
    _locks: dict[Path, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def folder(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """The folder of that key, made by `make` if it is not there: into a path that does not exist yet, which is
        moved to its place when it is whole. What `make` raises is raised, and nothing is left."""
        target = self.root / kind / key
        with self._lock(target):
            if not target.is_dir():
                self._make(target, make)
        return target

    def _make(self, target: Path, make: Callable[[Path], None]) -> None:
        draft = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        try:
            make(draft)
            draft.mkdir(exist_ok=True)
            draft.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise another process was faster
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _lock(self, target: Path) -> AbstractContextManager[object]:
        with self._guard:
            return self._locks.setdefault(target, threading.Lock())
