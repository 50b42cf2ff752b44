"""Where control groups can be made on this machine: the unified hierarchy (v2), or one of each controller (v1).

v2 is used whenever it has the three controllers that are needed. Called by `cgroups`, and by `facts` for the doctor.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

CONTROLLERS = ("memory", "cpu", "pids")
_ROUNDS = 20
WANTED = " ".join(f"+{name}" for name in CONTROLLERS)  # for cgroup.subtree_control


class Layout(NamedTuple):
    """Where groups are made: the directory of each hierarchy below which this process may create groups."""

    version: int
    roots: tuple[tuple[str, str], ...]  # (controllers joined by commas, directory)
    # Directories of the unified hierarchy for groups that only freeze, the best first: with v2, those of `roots` do.
    freezing: tuple[str, ...] = ()


NONE = Layout(0, ())  # nothing is limited


class NoControllersError(Exception):
    """The machine has no usable control groups; the message names what is missing."""


class Unified(NamedTuple):
    """A directory of the unified hierarchy in which groups could be made."""

    directory: str
    controllers: str  # the text of its cgroup.controllers


def find_layout(mountinfo: str, own: str, unified: Sequence[Unified]) -> Layout:
    """Choose from the texts of /proc/self/mountinfo and /proc/self/cgroup, and from `unified`, the best first.

    With v1, new groups become children of the group this process is in, so that limits set from outside keep holding.
    """
    v1: dict[str, str] = {}
    belongs = dict(_own_groups(own))
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if not kind or kind[0] != "cgroup":
            continue
        root, where = fields[3], _unescape(fields[4])
        for controller in kind[2].split(","):
            if controller in CONTROLLERS:
                v1[controller] = _below(where, root, belongs.get(controller, "/"))
    for directory, controllers in unified:
        if set(CONTROLLERS) <= set(controllers.split()):
            return Layout(2, ((",".join(CONTROLLERS), directory),))
    missing = [controller for controller in CONTROLLERS if controller not in v1]
    if missing and not v1 and unified:
        missing = [controller for controller in CONTROLLERS if controller not in unified[-1].controllers.split()]
    if missing:
        raise NoControllersError(f"no cgroup hierarchy offers the controller(s) {', '.join(missing)}")
    by_directory: dict[str, list[str]] = {}
    for controller in CONTROLLERS:
        by_directory.setdefault(os.path.realpath(v1[controller]), []).append(controller)
    roots = tuple((",".join(names), directory) for directory, names in by_directory.items())
    return Layout(1, roots, tuple(one.directory for one in unified))


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
    unified = []
    for directory in places(mountinfo, own, is_delegated):
        with contextlib.suppress(OSError), open(directory + "/cgroup.controllers") as file:
            unified.append(Unified(directory, file.read()))
    return find_layout(mountinfo, own, unified)


def places(mountinfo: str, own: str, delegated: Callable[[str], bool]) -> list[str]:
    """Directories of the unified hierarchy in which groups may be made, the best first.

    The best is the part that systemd handed over to this service (`Delegate=yes`): limits of the service then hold for
    all functions together. Whoever hands a part over does not touch it. The service's processes are in its top, or one
    below: `delegate` moves them there. Otherwise it is the root that this process can see: the machine's, or a
    container's.
    """
    group = dict(_own_groups(own)).get("", "/")
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        if right.split()[:1] == ["cgroup2"]:
            root, where = left.split()[3], _unescape(left.split()[4])
            break
    else:
        return []
    mine = _below(where, root, group)
    nearest = [path for path in (mine, os.path.dirname(mine)) if path.startswith(where + "/") and delegated(path)]
    return [*nearest[:1], where]


def unified_mounts() -> list[str]:
    """Where the unified hierarchy is mounted."""
    with open("/proc/self/mountinfo") as file:
        parts = [line.partition(" - ") for line in file]
    return [_unescape(left.split()[4]) for left, _, right in parts if right.split()[:1] == ["cgroup2"]]


def is_delegated(directory: str) -> bool:
    """Whether systemd marked a group as handed over."""
    for name in ("trusted.delegate", "user.delegate"):
        with contextlib.suppress(OSError):
            return os.getxattr(directory, name) == b"1"
    return False


def delegate(root: str) -> None:
    """Let groups below the v2 `root` have controllers.

    A root that is not the machine's own and has processes in it may not hand controllers down ("no internal
    processes"); this happens in services and containers. The processes move one group down first, and again should
    one of them have forked meanwhile.
    """
    control = root + "/cgroup.subtree_control"
    for _ in range(_ROUNDS):
        try:
            write(control, WANTED)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise OSError(error.errno, f"cannot enable controllers: {error.strerror}", control) from None
        else:
            return
        _clear(root, root + "/init")
    raise OSError(errno.EBUSY, f"the cgroup {root} holds processes that cannot be moved away, so it cannot be divided")


def is_blocked(root: str) -> bool:
    """Whether `delegate` will fail, because processes that have no name here are in the v2 `root` and must stay.

    The machine's own root, which alone has no cgroup.type, may have processes in it.
    """
    with open(root + "/cgroup.subtree_control") as control, open(root + "/cgroup.procs") as processes:
        divided = set(CONTROLLERS) <= set(control.read().split())
        return not divided and os.path.exists(root + "/cgroup.type") and "0" in processes.read().split()


def _clear(group: str, leaf: str) -> None:
    """Move the processes of a group that have a name here (0: they have none) to a group below it."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(leaf)
    with open(group + "/cgroup.procs") as file:
        processes = file.read().split()
    for process in processes:
        if process != "0":
            with contextlib.suppress(ProcessLookupError):
                write(leaf + "/cgroup.procs", process)


def disks_of(paths: Sequence[str]) -> tuple[str, ...]:
    """The device numbers of the disks on which files lie; file systems without a disk of their own have none."""
    found = []
    for path in paths:
        device = os.stat(path).st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        place = os.path.realpath(f"/sys/dev/block/{number}")
        if os.path.exists(place + "/partition"):
            with contextlib.suppress(OSError), open(os.path.dirname(place) + "/dev") as file:
                number = file.read().strip()
        if os.path.exists(place) and number not in found:
            found.append(number)
    return tuple(found)


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def try_write(path: str, text: str) -> None:
    """For what a kernel may have been built without."""
    with contextlib.suppress(OSError):
        write(path, text)
