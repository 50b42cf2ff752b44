"""What a function brings, shown in a sandbox that runs already: one that waited for its function.

Called by `instances`, before anything of a function runs there: until then nobody in the sandbox could lay a trap. This
process has one thread: while it sees the sandbox's file system, nothing else of it runs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from mayfly.sandbox.agent import isolate, kernel, powers


class Mounts:
    """Makes them, and remembers the way home."""

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self._root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def show(self, pidfd: int, code: int, layers: Sequence[int], ephemeral_mb: int) -> None:
        """Attach the trees (see `kernel.open_tree`) where functions look for them, and let /tmp be as large as this, in
        the sandbox of the process that `pidfd` refers to. OSError."""
        powers.enter(pidfd, kernel.CLONE_NEWNS)
        try:
            isolate.resize_temporary(ephemeral_mb)
            isolate.show(code, layers)
        finally:
            self._return()

    def _return(self) -> None:
        """Into the namespace, and below the root that this process had there."""
        try:
            powers.enter(self._home, kernel.CLONE_NEWNS)
            os.fchdir(self._root)
            os.chroot(".")
        except OSError as error:
            raise RuntimeError("the agent is lost in a sandbox's file system") from error  # it must not go on there
