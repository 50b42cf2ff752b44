"""Hooks of the standard library that clones of a template can do without.

Python tells modules when it forks. `threading`, `logging` and `concurrent.futures` then make locks anew, because a
thread that is not in the child may have held them. A template has one thread, which holds none of them when it clones;
and their hooks wrote to some 60 to 90 pages of each clone, which is as many copies. So what these modules register is
gathered while they are imported, and is run for every fork but those clones: a function that forks has all of it.

Used by the program of templates, before anything imports those modules.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Optional

_Hook = Optional[Callable[[], object]]  # noqa: UP045 (evaluated on Python 3.9 too)

# Of Python 3.13 and later, `threading` also notes the child's number of the thread, which a function may ask for.
_LOCKS = frozenset({"logging", "concurrent.futures.thread", *(("threading",) if sys.version_info < (3, 13) else ())})


class Hooks:
    """What was gathered. While `spared` is true, forks go without."""

    def __init__(self) -> None:
        self.spared = False
        self._genuine = os.register_at_fork
        self._before: list[Callable[[], object]] = []
        self._in_child: list[Callable[[], object]] = []
        self._in_parent: list[Callable[[], object]] = []

    def gather(self) -> None:
        """Begin: take what the modules in question register, until `release`."""
        self._genuine(before=self._prepare, after_in_child=self._run_in_child, after_in_parent=self._run_in_parent)
        os.register_at_fork = self._register

    def release(self) -> None:
        """Let everybody register for themselves again."""
        os.register_at_fork = self._genuine

    def _register(self, *, before: _Hook = None, after_in_child: _Hook = None, after_in_parent: _Hook = None) -> None:
        given = {"before": before, "after_in_child": after_in_child, "after_in_parent": after_in_parent}
        if sys._getframe(1).f_globals.get("__name__") not in _LOCKS:  # noqa: SLF001
            self._genuine(**{name: hook for name, hook in given.items() if hook is not None})
            return
        for hook, into in (
            (before, self._before),
            (after_in_child, self._in_child),
            (after_in_parent, self._in_parent),
        ):
            if hook is not None:
                into.append(hook)

    def _prepare(self) -> None:
        if not self.spared:
            for hook in reversed(self._before):  # as Python does
                hook()

    def _run_in_child(self) -> None:
        if not self.spared:
            for hook in self._in_child:
                hook()

    def _run_in_parent(self) -> None:
        if not self.spared:
            for hook in self._in_parent:
                hook()
