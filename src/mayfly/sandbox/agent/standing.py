"""What this agent may do on this machine: as root or as anybody, with or without control groups and user namespaces.

`take` is called once, when the agent starts and is nothing but one small process. An agent that was not started by root
makes itself the root of a user namespace, which any user may where the kernel allows it: from there everything is
possible that concerns namespaces made below it, and nothing that concerns the machine. Only one user id exists there,
its own; so all instances are that user to the rest of the machine, and what keeps them apart are their namespaces.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from mayfly.sandbox.agent import cgroups, hierarchy, kernel, powers

PROC = "/proc"


class Standing(NamedTuple):
    """What was found."""

    alone: bool  # there is one user id for everything
    user_namespaces: bool  # each instance gets one
    groups: int  # version of the control groups that limit instances; 0: there are none
    freezes: bool
    limits_disks: bool

    def layers(self) -> tuple[str, ...]:
        """What stands between an instance and everything else, in a few words each."""
        layers = ["namespaces (mount, pid, network, ipc, uts, cgroup)"]
        layers += ["user namespace of its own"] if self.user_namespaces else []
        layers += ["read-only root file system", "masked /proc, no /sys, five devices"]
        layers += ["unprivileged user" if self.alone else "unprivileged user of its own"]
        layers += ["no capabilities", "no_new_privs", "no set-uid", "seccomp allow-list", "resource limits"]
        if self.groups:
            limited = "memory, swap, cpu, processes" + (", disks" if self.limits_disks else "")
            return (*layers, f"control group, version {self.groups}: {limited}")
        return (*layers, "memory and processes limited by resource limits alone")


class NotAllowedError(Exception):
    """This user can make no sandboxes here; the message says why, and what would help."""


def become_root() -> bool:
    """Be root: of the machine, or of a user namespace of one's own. Whether it is the latter; `NotAllowedError`."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        return False
    try:
        # A network, too, though it needs none: it must own the one that it comes back to from those of instances.
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET)
        powers.map_ids(os.open(PROC, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), (0, 0), (uid, gid))
    except OSError as error:
        raise NotAllowedError(f"user id {uid} may not make a user namespace: {error}") from error
    return True


def own_user_namespaces(alone: bool, first_uid: int) -> bool:
    """Whether an instance could get a user namespace of its own; tried by a child."""
    proc = os.open(PROC, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            if not alone:
                powers.become(first_uid)
            kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
            powers.own_user_namespace(first_uid, proc)
            powers.renounce(powers.Renunciation())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(proc)
    return os.waitpid(pid, 0)[1] == 0


def open_groups(alone: bool, directory: str) -> cgroups.Groups:
    """The control groups of the agent that holds `directory`. Only one that is alone does without. OSError,
    `NoControllersError`."""
    name = cgroups.group_name(directory)
    try:
        groups = cgroups.Groups(hierarchy.read_layout(), name, hierarchy.disks_of(("/usr", directory)))
        groups.open()
    except (OSError, hierarchy.NoControllersError):
        if not alone:
            raise
        return cgroups.Groups(hierarchy.NONE, name)
    return groups
