"""Where control groups can be made on this machine: the unified hierarchy (v2), or one of each controller (v1).

v2 is used whenever it has the three controllers that are needed. Called by `cgroups`, and by `facts` for the doctor.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import NamedTuple

CONTROLLERS = ("memory", "cpu", "pids")
WANTED = " ".join(f"+{name}" for name in CONTROLLERS)  # for cgroup.subtree_control


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


def moves_quickly(layout: Layout, mountinfo: str) -> bool:
    """Whether a process can enter a group without waiting for the whole machine (see `Group.entrances`)."""
    if layout.version == 1:
        return True
    options = [line.split(" - ")[1].split()[2].split(",") for line in mountinfo.splitlines() if " - cgroup2 " in line]
    return any("favordynmods" in option for option in options)


def delegate(root: str) -> None:
    """Let groups below the v2 `root` have controllers.

    A root that is not the machine's own and has processes in it may not hand controllers down ("no internal
    processes"); this happens in containers. The processes move one group down first.
    """
    control = root + "/cgroup.subtree_control"
    try:
        write(control, WANTED)
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
            write(leaf + "/cgroup.procs", process)
    write(control, WANTED)


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
