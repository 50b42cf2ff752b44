"""From a fresh clone of a template to a process that may run hostile code: the steps, in the order that matters.

Runs inside the clone, as pid 1 of its namespaces and still as root: `prepare`, for which nothing need be known about
the function, and `isolate`. The privileges go, for good, before the first byte of user code is read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import socket
import stat
import struct
from collections.abc import Sequence
from typing import NamedTuple

from mayfly.sandbox.agent import channel, kernel, masks, powers, root

NAMESPACES = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
_CLONE_NEWCGROUP = 0x02000000

CONTROL, OUTPUT = 3, 1  # descriptors from here on
ENDPOINT = ("127.0.0.1", 4566)
RUNTIME_API = ("127.0.0.1", 9001)
TASK_ROOT = "/var/task"
LAYERS = "/opt"
TEMPORARY, SHARED = "/tmp", "/dev/shm"  # noqa: S108 (the sandbox's own, mounted here)

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_INODES_A_MB = 64
_SHARED_MEMORY_MB = 64
_DATA_PER_MEMORY, _LEAST_DATA_MB = 4, 1024
_LIMITS = (
    # Not 0: a machine that pipes core dumps into a program heeds no limit but this one, which ends the pipe as well.
    (resource.RLIMIT_CORE, 1),
    (resource.RLIMIT_MEMLOCK, 8 << 20),
    (resource.RLIMIT_MSGQUEUE, 819_200),
    (resource.RLIMIT_SIGPENDING, 4096),
    (resource.RLIMIT_RTPRIO, 0),
    (resource.RLIMIT_NICE, 0),
)


class Descriptors(NamedTuple):
    """What the agent handed over for one instance."""

    control: int
    output: int
    code: int  # or all of the file system, by the plan
    layers: list[int]


class Plan(NamedTuple):
    """One instance, as the agent described it."""

    id: str
    uid: int
    ephemeral_mb: int
    open_files: int
    label: str
    program: bool  # it will hold a launcher
    rooted: bool  # it gets a file system of its own
    processes: int
    data_mb: int  # 0: a control group limits its memory


class Seal(NamedTuple):
    """What a template keeps for the last steps of its instances."""

    calls: kernel.SystemCallFilter
    proc: int  # descriptor of a /proc that can be written; -1: instances get no user namespace of their own
    alone: bool  # there is one user id for everything, see `standing`
    renunciation: powers.Renunciation  # of what a user namespace begins with


def prepare(entrances: list[int], *, alone: bool = False) -> socket.socket:
    """What is the same for every instance, so that it can be done before there is one; returns the endpoint.

    `entrances` are of the control groups that this process is not in yet.
    """
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)  # until the change of ids clears it
    for entrance in entrances:
        join(entrance)
    kernel.unshare(_CLONE_NEWCGROUP)
    endpoint = listen_on_loopback()
    mount_flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", "/proc", "proc", mount_flags | kernel.MS_RDONLY, "hidepid=2")
    masks.cover()
    if alone:
        kernel.unmount(root.WHOLE_PROC)
    shared = f"mode=1777,size={_SHARED_MEMORY_MB}m,nr_inodes=1024"
    kernel.mount("shm", SHARED, "tmpfs", mount_flags, shared)
    socket.sethostname(root.HOSTNAME)
    os.setsid()
    os.umask(0o022)
    return endpoint


def isolate(plan: Plan, given: Descriptors, endpoint: socket.socket, to_agent: socket.socket, seal: Seal) -> None:
    """Carry out the rest and tell the agent; on return this process is the sandbox. OSError names the step."""
    listeners = [endpoint]
    if plan.program:
        listeners.append(listen(RUNTIME_API))
    if plan.rooted:
        change_root(plan.ephemeral_mb, given.code)
    else:
        mount_own(plan.ephemeral_mb, given.code, given.layers)
    limit_resources(plan.open_files, plan.data_mb)
    os.dup2(given.output, 1)
    os.dup2(given.output, 2)
    _drop_privileges(plan, seal)
    os.chdir("/" if plan.rooted else TASK_ROOT)
    ears = seal.calls.install_heard()  # of denials; nobody in here may keep it
    # The agent's death must be noticed even if it came before PR_SET_PDEATHSIG: then this send fails.
    outside = [one.fileno() for one in listeners] + ([ears] if ears >= 0 else [])
    channel.send(to_agent, {"op": channel.LISTENING, "id": plan.id, "heard": ears >= 0}, outside)
    if seal.proc >= 0:
        powers.renounce(seal.renunciation)  # while the server hears of it
    for one in (*listeners, to_agent):
        one.detach()
    os.dup2(given.control, CONTROL, inheritable=False)
    kernel.close_from(CONTROL + 1)


def rehearse() -> None:
    """Of these steps what is without effect in a template, for `settle`: an attribute that code looks up for the first
    few times is noted together with its name, each somewhere else in memory."""
    kernel.unshare(0)
    limit_resources(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    powers.empty_bounding_set()
    _size(1)
    for step in (_mount_nothing, _attach_nothing, _map_nobody):
        with contextlib.suppress(OSError):
            step()


def _mount_nothing() -> None:
    kernel.mount("none", "", "none", 0, "")


def _attach_nothing() -> None:
    kernel.attach(-1, "", root.READ_ONLY)


def _map_nobody() -> None:
    powers.map_ids(-1, (0, 0), (0, 0))


def limit_resources(open_files: int, data_mb: int = 0) -> None:
    """No core dumps, and this many descriptors; less than usual of what the kernel keeps for a user.

    `data_mb`: the memory of an instance that no control group limits. What is limited then is what each process may
    ask for, which is more than it uses: stacks of threads count in full.
    """
    data = max(data_mb * _DATA_PER_MEMORY, _LEAST_DATA_MB) << 20
    own = [(resource.RLIMIT_NOFILE, open_files)] + ([(resource.RLIMIT_DATA, data)] if data_mb else [])
    for kind, value in (*own, *_LIMITS):
        most = resource.getrlimit(kind)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))


def join(entrance: int) -> None:
    """Move this process, which has one thread, into a control group (see `cgroups.Group.entrances`)."""
    if stat.S_ISDIR(os.fstat(entrance).st_mode):
        entrance = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=entrance)
    os.write(entrance, b"0")


def listen_on_loopback() -> socket.socket:
    """Bring the loopback interface up and listen where the platform's endpoint is; the server will accept."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as asking:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(asking, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(asking, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))
    return listen(ENDPOINT)


def listen(address: tuple[str, int]) -> socket.socket:
    """A socket for the server to accept on."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def mount_own(ephemeral_mb: int, code: int = -1, layers: Sequence[int] = ()) -> None:
    """A /tmp of one's own, and the code and layers unless they are there already (`code` negative)."""
    kernel.mount("tmp", TEMPORARY, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"mode=1777,{_size(ephemeral_mb)}")
    if code >= 0:
        show(code, layers)


def resize_temporary(ephemeral_mb: int) -> None:
    """Let the /tmp that there is hold this much."""
    flags = kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmp", TEMPORARY, None, flags, _size(ephemeral_mb))


def _size(ephemeral_mb: int) -> str:
    return f"size={ephemeral_mb}m,nr_inodes={ephemeral_mb * _INODES_A_MB}"


def show(code: int, layers: Sequence[int]) -> None:
    """The function's code and layers, where functions look for them."""
    kernel.attach(code, TASK_ROOT, root.READ_ONLY)
    if len(layers) == 1:
        kernel.attach(layers[0], LAYERS, root.READ_ONLY)
    elif layers:
        _merge(layers)


def change_root(ephemeral_mb: int, tree: int) -> None:
    """Show the file system `tree`, read-only, with a /tmp of one's own, instead of the one that is in sight.

    What its programs find at run time is that of every sandbox: /dev, /proc, and the names of hosts.
    """
    new = TEMPORARY  # still empty
    kernel.attach(tree, new, root.READ_ONLY)
    for name in ("dev", "proc"):
        kernel.mount(f"/{name}", f"{new}/{name}", None, kernel.MS_BIND | kernel.MS_REC)
    for name in ("hosts", "hostname", "resolv.conf"):
        if os.path.isfile(f"{new}/etc/{name}") and not os.path.islink(f"{new}/etc/{name}"):
            kernel.mount(f"/etc/{name}", f"{new}/etc/{name}", None, kernel.MS_BIND)
    os.chdir(new)
    kernel.pivot_root(".", ".")
    kernel.unmount(".")
    os.chdir("/")
    mount_own(ephemeral_mb)


def _merge(layers: Sequence[int]) -> None:
    """Lay several layers over one another, the last one on top, using /tmp, still empty, to reach them."""
    paths = []
    for number, layer in enumerate(layers):
        paths.append(f"{TEMPORARY}/{number}")
        os.mkdir(paths[-1])
        kernel.attach(layer, paths[-1], root.READ_ONLY)
    kernel.mount("layers", LAYERS, "overlay", root.READ_ONLY, "lowerdir=" + ":".join(reversed(paths)))
    for path in paths:
        kernel.unmount(path)
        os.rmdir(path)


def _drop_privileges(plan: Plan, seal: Seal) -> None:
    """Become an unprivileged user without a way back, in a user namespace of one's own where there can be one.

    Capabilities go with the change of all user ids; those that a user namespace begins with concern it alone, and are
    the last thing to go. The bounding set was emptied, and no_new_privs set, in the template. Changing ids clears the
    parent-death signal and "dumpable", so both are set after it; a process that is not dumpable could not read its own
    /proc/self.

    Processes are counted by user and namespace; with a limit that was there before the namespace, those of siblings
    would count, too.
    """
    if not seal.alone:
        os.setgroups([])
        os.setresgid(plan.uid, plan.uid, plan.uid)
        os.setresuid(plan.uid, plan.uid, plan.uid)
    if seal.proc >= 0:
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        powers.own_user_namespace(plan.uid, seal.proc)
    most = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    processes = plan.processes if most == resource.RLIM_INFINITY else min(plan.processes, most)
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    # A launcher need not read its own, and what it launches, being of the same user, must not: it stays as it is.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0 if plan.program else 1)
    kernel.prctl_name(f"fn:{plan.label}" if plan.label else "fn")
