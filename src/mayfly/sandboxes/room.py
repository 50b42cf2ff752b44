"""One sandbox that was made: what it was made of, what runs in it, and how it stands."""

import asyncio
import contextlib

from mayfly.images.records import Image
from mayfly.policy import egress
from mayfly.sandbox.api import Sandbox
from mayfly.sandboxes.model import View, Wanted
from mayfly.sandboxes.processes import Processes

WRITABLE = "/tmp"  # noqa: S108  # the sandbox's own
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Room:
    """`reason`: why it ended, empty as long as it lives. `cleanup` gives back what it was made of."""

    def __init__(
        self,
        sandbox_id: str,
        wanted: Wanted,
        level: str,
        sandbox: Sandbox,
        image: Image | None,
        cleanup: contextlib.ExitStack,
        now: float,
    ) -> None:
        self.id = sandbox_id
        self.wanted = wanted
        self.level = level
        self.sandbox = sandbox
        self.image = image
        self.cleanup = cleanup
        self.created_at = now
        self.processes = Processes(sandbox.control)
        self.frozen = False
        self.reason = ""
        self.watching: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.wanted, self.image)

    @property
    def directory(self) -> str:
        return (self.image.process.working_dir if self.image is not None else None) or WRITABLE

    @property
    def made_of(self) -> str:
        basis = f"image {self.wanted.image}" if self.wanted.image else "this machine"
        if self.wanted.function:
            basis = f"function {self.wanted.function}"
        return f"{basis} with snapshot {self.wanted.snapshot}" if self.wanted.snapshot else basis

    def view(self) -> View:
        """As it is shown to clients."""
        wanted = self.wanted
        return View(
            id=self.id,
            label=wanted.label,
            state="ended" if self.reason else "frozen" if self.frozen else "running",
            reason=self.reason,
            made_of=self.made_of,
            level=self.level,
            layers=self.sandbox.layers,
            memory_mb=wanted.memory_mb,
            peak_bytes=self.sandbox.peak_memory() if not self.reason else 0,
            processes=self.processes.running,
            created_at=self.created_at,
            expires_at=self.created_at + wanted.lifetime_s,
        )


def environment(wanted: Wanted, image: Image | None) -> dict[str, str]:
    """What every process of a sandbox has."""
    own = image.process.variables() if image is not None else {}
    proxy = egress.variables(egress.parse(wanted.egress))
    return {"PATH": _PATH, "HOME": WRITABLE, "LANG": "C.UTF-8", **proxy, **own, **wanted.environment}
