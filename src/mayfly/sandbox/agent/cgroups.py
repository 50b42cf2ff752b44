"""Control groups: the limits of one instance, its peak memory, and whether it ran out of memory. v1 and v2.

The agent makes one parent group a data directory and one child an instance, where `hierarchy` says. With v2, a group is
one directory; with v1, one directory in the hierarchy of each controller.

Freezing is done by v2 alone, which needs no controller for it, and so on hybrid machines by one more group in the
unified hierarchy. v1's freezer is not used: what it froze cannot be killed, and thawing took 150 us instead of 15. The
groups of a hybrid machine are *threaded*, because a process may move itself, while it has one thread, between threaded
groups of one parent without the lock that `Group.entrances` speaks of. The parent is what templates live in.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import signal
import time
from collections.abc import Sequence
from typing import NamedTuple

from mayfly.sandbox import peak
from mayfly.sandbox.agent import hierarchy

PERIOD_US = 100_000
# Of each disk. What an instance reads is programs and code, of which most is in memory; one that has too little memory
# for what it reads over and over takes the disk from all others. It writes nothing but what it sends the server.
DISK_LIMITS = f"rbps={256 << 20} wbps={64 << 20} riops=8000 wiops=2000"
# By version of control groups: a tenth of what every group begins with.
_WEIGHT_OF_DYING = {1: 102, 2: 10}
_RETRY_S = 0.01
GUEST_LEAVES_S = 1.0


class Limits(NamedTuple):
    """What one instance may use."""

    memory_bytes: int
    cpus: float
    processes: int


def digest_of(directory: str) -> bytes:
    """What tells the servers of one machine apart: a hash of the directory that an agent holds."""
    return hashlib.sha256(os.path.realpath(directory).encode()).digest()


def group_name(directory: str) -> str:
    """The name of the parent group of the agent that holds `directory`."""
    return "mayfly-" + digest_of(directory).hex()[:12]


class Groups:
    """All groups of one data directory."""

    def __init__(self, layout: hierarchy.Layout, name: str, disks: Sequence[str] = ()) -> None:
        """`disks`: by device number, those that instances read from; with v2, how fast is limited."""
        self.layout = layout
        self._disks = disks
        self._made = 0
        self._lingering: list[Group] = []
        self._parents = [os.path.join(directory, name) for _, directory in layout.roots]
        self._for_freezing = [os.path.join(directory, name) for directory in layout.freezing]
        self._freezing = ""  # the one of these that could be made

    def open(self) -> None:
        """Make the parents, after removing what an earlier agent left in them."""
        self.remove()
        if self.layout.version == 2:
            hierarchy.delegate(self.layout.roots[0][1])
        for parent in self._parents:
            os.mkdir(parent)
        if self.layout.version == 2:
            hierarchy.write(self._parents[0] + "/cgroup.subtree_control", hierarchy.WANTED)
            for directory in (self.layout.roots[0][1], self._parents[0]) if self._disks else ():
                hierarchy.try_write(directory + "/cgroup.subtree_control", "+io")
        for parent in self._for_freezing:
            with contextlib.suppress(OSError):
                os.mkdir(parent)
                self._freezing = parent
                break

    @property
    def limits_disks(self) -> bool:
        """Whether what is in a group may read only so much a second."""
        if self.layout.version != 2 or not self._disks:
            return False
        with contextlib.suppress(OSError), open(self._parents[0] + "/cgroup.subtree_control") as control:
            return "io" in control.read().split()
        return False

    @property
    def freezes(self) -> bool:
        """Whether what is in a group can be frozen."""
        return self.layout.version == 2 or bool(self._freezing)

    def adopt(self, pid: int) -> None:
        """Let a process, and all that it starts from then on, enter groups by their `entrances`."""
        if self._freezing:
            hierarchy.write(self._freezing + "/cgroup.procs", str(pid))

    def release(self, pid: int) -> None:
        """Take back `adopt`."""
        if self._freezing:
            hierarchy.write(os.path.dirname(self._freezing) + "/cgroup.procs", str(pid))

    def remove(self) -> None:
        """Kill everything in any of the groups and remove them."""
        deadline = time.monotonic() + 10
        for parent in (*self._parents, *self._for_freezing):
            if not os.path.isdir(parent):
                continue
            while True:
                with os.scandir(parent) as entries:
                    children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
                for group in (*children, parent):
                    kill_all(group)
                    with contextlib.suppress(OSError):
                        os.rmdir(group)
                if not os.path.isdir(parent):
                    break
                if time.monotonic() > deadline:
                    raise OSError(errno.EBUSY, f"the cgroup {parent} cannot be emptied")
                time.sleep(0.005)

    def create(self) -> Group:
        """A new group with nothing in it, and without limits yet."""
        self._made += 1
        name = f"instance-{self._made}"
        freezing = f"{self._freezing}/{name}" if self._freezing else ""
        group = Group(self.layout, [f"{parent}/{name}" for parent in self._parents], freezing, self._disks)
        try:
            group.make()
        except OSError:
            group.remove()
            raise
        return group

    def discard(self, group: Group) -> None:
        """Kill what is in a group and remove it, now or in `retry`."""
        if not group.remove():
            self._lingering.append(group)

    def retry_s(self) -> float | None:
        """How long the agent may sleep before `retry`; None: for ever."""
        return _RETRY_S if self._lingering else None

    def retry(self) -> None:
        """Remove groups that the kernel still held on to."""
        if self._lingering:
            self._lingering = [group for group in self._lingering if not group.remove()]


class Group:
    """The group of one instance."""

    def __init__(
        self, layout: hierarchy.Layout, paths: list[str], freezing: str = "", disks: Sequence[str] = ()
    ) -> None:
        """`paths`: its directories, where `layout` has its roots; `freezing`: the one that only freezes, if any."""
        self._version = layout.version
        self._disks = disks
        self._paths = paths
        self._freezing = freezing
        self.guest = 0  # a process that passes through, and is spared by `remove` while it is awaited to leave
        self._awaited_until: float | None = None
        self._of = {}
        for (names, _), path in zip(layout.roots, paths, strict=True):
            for name in names.split(","):
                self._of[name] = path

    def make(self) -> None:
        for path in self._paths:
            os.mkdir(path)
        if self._freezing:
            os.mkdir(self._freezing)
            hierarchy.write(self._freezing + "/cgroup.type", "threaded")

    def limit(self, limits: Limits) -> None:
        """Bind what is in the group, and what will be."""
        if not self._paths:
            return
        memory, _, pids = (self._of[name] for name in hierarchy.CONTROLLERS)
        if self._version == 2:
            hierarchy.write(memory + "/memory.max", str(limits.memory_bytes))
            hierarchy.try_write(memory + "/memory.swap.max", "0")
            hierarchy.write(memory + "/memory.oom.group", "1")
            for disk in self._disks:
                hierarchy.try_write(memory + "/io.max", f"{disk} {DISK_LIMITS}")
        else:
            hierarchy.write(memory + "/memory.limit_in_bytes", str(limits.memory_bytes))
            hierarchy.try_write(memory + "/memory.memsw.limit_in_bytes", str(limits.memory_bytes))
            hierarchy.try_write(memory + "/memory.swappiness", "0")
        self.limit_cpus(limits.cpus)
        hierarchy.write(pids + "/pids.max", str(limits.processes))

    def limit_cpus(self, cpus: float) -> None:
        """How many processors what is in the group may use."""
        if not self._paths:
            return
        quota, cpu = max(1000, int(cpus * PERIOD_US)), self._of["cpu"]
        if self._version == 2:
            hierarchy.write(cpu + "/cpu.max", f"{quota} {PERIOD_US}")
        else:
            hierarchy.write(cpu + "/cpu.cfs_quota_us", str(quota))

    def entrances(self) -> list[int]:
        """Descriptors through which a process of one thread gets in; see `entrance`. The caller closes them.

        Moving a process takes a lock that all forks of the machine share, and after a quiet while the kernel needs 10
        to 20 ms to hand it out. So with v2 it is the directory, for a process to be born in; with v1, the files of
        threads, because moving the calling thread does without the lock (Linux 5.17 and later).
        """
        if self._version == 2:
            return [os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for path in self._paths]
        files = [f"{path}/tasks" for path in self._paths]
        files += [f"{self._freezing}/cgroup.threads"] if self._freezing else []
        return [os.open(file, os.O_WRONLY | os.O_CLOEXEC) for file in files]

    def open_freezer(self) -> list[int]:
        """A descriptor that freezes what is in the group when `1` is written, and thaws it with `0`, and does nothing
        else; none where nothing freezes. Whoever is frozen can be killed like anybody."""
        path = self._paths[0] if self._version == 2 and self._paths else self._freezing
        if not path:
            return []
        try:
            return [os.open(path + "/cgroup.freeze", os.O_WRONLY | os.O_CLOEXEC)]
        except OSError:
            return []

    def watch_memory(self) -> int | None:
        """A descriptor that becomes readable when memory runs out; None where the kernel kills the whole group."""
        if self._version == 2 or not self._paths:
            return None
        directory = self._of["memory"]
        event = _eventfd()
        control = os.open(directory + "/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            hierarchy.write(directory + "/cgroup.event_control", f"{event} {control}")
        except OSError:
            os.close(event)
            raise
        finally:
            os.close(control)
        return event

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed a process of the group for want of memory."""
        if not self._paths:
            return False
        name = "/memory.events" if self._version == 2 else "/memory.oom_control"
        with open(self._of["memory"] + name) as file:
            counters = dict(line.split() for line in file)
        return int(counters.get("oom_kill", 0)) > 0

    def open_peak(self) -> int:
        """A descriptor from which `sandbox.peak` reads the most memory used so far; see `keeps_peak`. -1: it is not
        counted."""
        if not self._paths:
            return -1
        name = "memory.max_usage_in_bytes" if self._version == 1 else "memory.peak"
        if not self.keeps_peak():
            name = "memory.current"
        return os.open(f"{self._of['memory']}/{name}", os.O_RDONLY | os.O_CLOEXEC)

    def open_use(self) -> int:
        """A descriptor from which `sandbox.use` reads what memory is used."""
        return os.open(f"{self._of['memory']}/memory.stat", os.O_RDONLY | os.O_CLOEXEC)

    def keeps_peak(self) -> bool:
        """Whether the kernel does; with v2 since Linux 5.19. Where it does not, what is used now stands for it."""
        return self._version != 2 or os.path.exists(self._of["memory"] + "/memory.peak")

    def kill(self) -> None:
        """SIGKILL to every process that is in the group now but a guest, and processors for all of them to die.

        A process that used up its share of the processors is stopped before it hears of a signal, and many that ran out
        of memory together owe the kernel's work for each: two hundred forks took half a minute to die, and kept the
        processors busy meanwhile. So they may use what nobody else wants.
        """
        if not self._paths:
            return
        cpu, weight, limit = self._of["cpu"], "cpu.shares", "cpu.cfs_quota_us"
        if self._version == 2:
            weight, limit = "cpu.weight", "cpu.max"
        hierarchy.try_write(f"{cpu}/{weight}", str(_WEIGHT_OF_DYING[self._version]))
        hierarchy.try_write(f"{cpu}/{limit}", "max" if self._version == 2 else "-1")
        kill_all(self._of["memory"], self.guest)

    def remove(self) -> bool:
        """Kill whatever is in the group and remove it; False when the kernel still holds on to it.

        A guest has `GUEST_LEAVES_S` to leave by itself, from the first time that it is in the way.
        """
        gone = True
        for path in (*self._paths, self._freezing):
            if not path:
                continue
            try:
                os.rmdir(path)
            except FileNotFoundError:
                pass
            except OSError:
                if not self._awaits_guest(path):
                    kill_all(path)
                gone = False
        return gone

    def _awaits_guest(self, path: str) -> bool:
        if not self.guest:
            return False
        try:
            with open(path + "/cgroup.procs") as file:
                if str(self.guest) not in file.read().split():
                    return False
        except OSError:
            return False
        now = time.monotonic()
        if self._awaited_until is None:
            self._awaited_until = now + GUEST_LEAVES_S
        return now < self._awaited_until


def read_peak(descriptor: int) -> int:
    """Bytes, from a descriptor of `Group.open_peak`."""
    return peak.read(descriptor)


def kill_all(group: str, but: int = 0) -> None:
    """SIGKILL to every process of a group `but` one; those who are not there any more do not matter."""
    with contextlib.suppress(OSError):
        if not but:
            hierarchy.write(group + "/cgroup.kill", "1")
            return
    with contextlib.suppress(OSError), open(group + "/cgroup.procs") as file:
        for line in file:
            if int(line) not in {0, but}:  # 0: a process that this namespace cannot name
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line), signal.SIGKILL)


def _eventfd() -> int:
    """`os.eventfd` came with Python 3.10; an agent runs on the server's own, which is 3.11 or later."""
    return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
