"""Control groups: the limits of one instance, its peak memory, and whether it ran out of memory. v1 and v2.

The agent makes one parent group a data directory and one child an instance. With v2, all is one directory; with v1,
a directory in the hierarchy of each controller. v2 is used whenever it has the three controllers that are needed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import select
import signal
import time
from typing import NamedTuple

CONTROLLERS = ("memory", "cpu", "pids")
PERIOD_US = 100_000


class Limits(NamedTuple):
    """What one instance may use."""

    memory_bytes: int
    cpus: float
    processes: int


class Layout(NamedTuple):
    """Where groups are made: the directory of each hierarchy below which this process may create groups."""

    version: int
    roots: tuple[tuple[str, str], ...]  # (controllers joined by commas, directory)


class NoControllersError(Exception):
    """The machine has no usable control groups; the message names what is missing."""


def find_layout(mountinfo: str, own: str, controllers_of_v2: str) -> Layout:
    """Choose from the texts of /proc/self/mountinfo, /proc/self/cgroup and the v2 root's cgroup.controllers.

    New groups become children of the group this process is in (v1), so that limits set from outside keep holding, or
    of the v2 root that this process can see.
    """
    v1: dict[str, str] = {}
    v2 = None
    belongs = dict(_own_groups(own))
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if not kind or kind[0] not in {"cgroup", "cgroup2"}:
            continue
        root, where = fields[3], _unescape(fields[4])
        if kind[0] == "cgroup2":
            v2 = v2 or where
            continue
        for controller in kind[2].split(","):
            if controller in CONTROLLERS:
                v1[controller] = _below(where, root, belongs.get(controller, "/"))
    if v2 is not None and set(CONTROLLERS) <= set(controllers_of_v2.split()):
        return Layout(2, ((",".join(CONTROLLERS), v2),))
    missing = [controller for controller in CONTROLLERS if controller not in v1]
    if missing:
        raise NoControllersError(f"no cgroup hierarchy offers the controller(s) {', '.join(missing)}")
    by_directory: dict[str, list[str]] = {}
    for controller in CONTROLLERS:
        by_directory.setdefault(os.path.realpath(v1[controller]), []).append(controller)
    return Layout(1, tuple((",".join(names), directory) for directory, names in by_directory.items()))


def _own_groups(text: str) -> list[tuple[str, str]]:
    pairs = []
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        pairs += [(controller, path) for controller in controllers.split(",")]
    return pairs


def _below(where: str, root: str, group: str) -> str:
    """The directory of `group` in the hierarchy whose part `root` is mounted at `where`."""
    if root != "/" and group.startswith(root):
        group = group[len(root) :]
    path = where + "/" + group.strip("/")
    return path.rstrip("/")


def _unescape(field: str) -> str:
    return field.replace("\\040", " ")


def read_layout() -> Layout:
    """`find_layout` of this machine."""
    with open("/proc/self/mountinfo") as file:
        mountinfo = file.read()
    with open("/proc/self/cgroup") as file:
        own = file.read()
    controllers = ""
    for line in mountinfo.splitlines():
        if " - cgroup2 " in line:
            with contextlib.suppress(OSError), open(_unescape(line.split()[4]) + "/cgroup.controllers") as file:
                controllers = file.read()
            break
    return find_layout(mountinfo, own, controllers)


def digest_of(directory: str) -> bytes:
    """What tells the servers of one machine apart: a hash of the directory that an agent holds."""
    return hashlib.sha256(os.path.realpath(directory).encode()).digest()


def group_name(directory: str) -> str:
    """The name of the parent group of the agent that holds `directory`."""
    return "mayfly-" + digest_of(directory).hex()[:12]


class Groups:
    """All groups of one data directory."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.layout = layout
        self._name = name
        self._parents = [os.path.join(directory, name) for _, directory in layout.roots]

    def open(self) -> None:
        """Make the parents, after removing what an earlier agent left in them."""
        self.remove()
        if self.layout.version == 2:
            _delegate(self.layout.roots[0][1])
        for parent in self._parents:
            os.mkdir(parent)
        if self.layout.version == 2:
            _write(self._parents[0] + "/cgroup.subtree_control", " ".join(f"+{name}" for name in CONTROLLERS))

    def remove(self) -> None:
        """Kill everything in any of the groups and remove them."""
        deadline = time.monotonic() + 10
        for parent in self._parents:
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

    def create(self, name: str, limits: Limits) -> Group:
        """A group with limits and nothing in it."""
        group = Group(self.layout, [os.path.join(parent, name) for parent in self._parents])
        try:
            group.make(limits)
        except OSError:
            group.remove()
            raise
        return group


class Group:
    """The group of one instance."""

    def __init__(self, layout: Layout, paths: list[str]) -> None:
        self._version = layout.version
        self._paths = paths
        self._of = {}
        for (names, _), path in zip(layout.roots, paths, strict=True):
            for name in names.split(","):
                self._of[name] = path

    def make(self, limits: Limits) -> None:
        for path in self._paths:
            os.mkdir(path)
        self.limit(limits)

    def limit(self, limits: Limits) -> None:
        memory, cpu, pids = (self._of[name] for name in CONTROLLERS)
        quota = max(1000, int(limits.cpus * PERIOD_US))
        if self._version == 2:
            _write(memory + "/memory.max", str(limits.memory_bytes))
            _try_write(memory + "/memory.swap.max", "0")
            _write(memory + "/memory.oom.group", "1")
            _write(cpu + "/cpu.max", f"{quota} {PERIOD_US}")
        else:
            _write(memory + "/memory.limit_in_bytes", str(limits.memory_bytes))
            _try_write(memory + "/memory.memsw.limit_in_bytes", str(limits.memory_bytes))
            _try_write(memory + "/memory.swappiness", "0")
            _write(cpu + "/cpu.cfs_quota_us", str(quota))
        _write(pids + "/pids.max", str(limits.processes))

    def entrances(self) -> list[int]:
        """Descriptors to which a process writes "0" to move in. The caller closes them."""
        return [os.open(path + "/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) for path in self._paths]

    def watch_memory(self) -> int | None:
        """A descriptor that becomes readable when memory runs out; None where the kernel kills the whole group."""
        if self._version == 2:
            return None
        directory = self._of["memory"]
        event = _eventfd()
        control = os.open(directory + "/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _write(directory + "/cgroup.event_control", f"{event} {control}")
        except OSError:
            os.close(event)
            raise
        finally:
            os.close(control)
        return event

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed a process of the group for want of memory."""
        name = "/memory.events" if self._version == 2 else "/memory.oom_control"
        with open(self._of["memory"] + name) as file:
            counters = dict(line.split() for line in file)
        return int(counters.get("oom_kill", 0)) > 0

    def open_peak(self) -> int:
        """A descriptor from which `parse_peak` reads the most memory used so far; `current` before Linux 5.19 (v2)."""
        directory = self._of["memory"]
        names = ("memory.peak", "memory.current") if self._version == 2 else ("memory.max_usage_in_bytes",)
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                return os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        raise FileNotFoundError(errno.ENOENT, f"{directory} counts no memory")

    def kill(self) -> None:
        """Kill whatever is in the group."""
        for path in self._paths:
            kill_all(path)

    def remove(self) -> bool:
        """Remove the group, which nothing lives in any more; False when the kernel still holds on to it."""
        gone = True
        for path in self._paths:
            try:
                os.rmdir(path)
            except FileNotFoundError:
                pass
            except OSError:
                kill_all(path)
                gone = False
        return gone


def read_peak(descriptor: int) -> int:
    """Bytes, from a descriptor of `Group.open_peak`."""
    return int(os.pread(descriptor, 32, 0))


def kill_all(group: str) -> None:
    """SIGKILL to every process of a group; those who are not there any more do not matter."""
    with contextlib.suppress(OSError):
        _write(group + "/cgroup.kill", "1")
        return
    with contextlib.suppress(OSError), open(group + "/cgroup.procs") as file:
        for line in file:
            if int(line) > 0:  # 0: a process that this namespace cannot name
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line), signal.SIGKILL)


def _delegate(root: str) -> None:
    """Let groups below the v2 `root` have controllers.

    A root that is not the machine's own and has processes in it may not hand controllers down ("no internal
    processes"); this happens in containers. The processes move one group down first.
    """
    wanted = " ".join(f"+{name}" for name in CONTROLLERS)
    control = root + "/cgroup.subtree_control"
    try:
        _write(control, wanted)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
    else:
        return
    leaf = root + "/init"
    with contextlib.suppress(FileExistsError):
        os.mkdir(leaf)
    with open(root + "/cgroup.procs") as file:
        processes = file.read().split()
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            _write(leaf + "/cgroup.procs", process)
    _write(control, wanted)


def _eventfd() -> int:
    """`os.eventfd` came with Python 3.10; an agent runs on the server's own, which is 3.11 or later."""
    return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)


def is_signalled(event: int) -> bool:
    """Whether a `watch_memory` event stands."""
    return bool(select.select([event], [], [], 0)[0])


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _try_write(path: str, text: str) -> None:
    """For what a kernel may have been built without."""
    with contextlib.suppress(OSError):
        _write(path, text)
