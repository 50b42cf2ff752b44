"""What this machine can give a sandbox, found out by trying; `mayfly doctor` shows it, and cures."""

import contextlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mayfly.sandbox import interpreters, parcel
from mayfly.sandbox.agent import hierarchy, kernel, seccomp
from mayfly.settings import Isolation

# Linux 5.3 brought the last call that the agent needs (pidfd_open); open_tree and move_mount came with 5.2.
OLDEST_KERNEL = (5, 3)
_TRY_S = 10.0
_NAMESPACES = (
    "import os, sys; sys.path.insert(0, sys.argv[1])\n"
    "from mayfly.sandbox.agent import isolate, kernel, standing\n"
    "alone = standing.become_root()\n"
    "print('own' if standing.own_user_namespaces(alone, 0x70000000) else 'none', flush=True)\n"
    "kernel.unshare(isolate.NAMESPACES)\n"
    "kernel.mount('none', '/', None, kernel.MS_REC | kernel.MS_PRIVATE)\n"
    "pid = os.fork()\n"
    "if pid: sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    "kernel.mount('try', '/proc', 'proc', kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)\n"
)
_FOR_USERS = (
    "allow users to make user namespaces: sysctl user.max_user_namespaces=100000, on Ubuntu also "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container, /proc must not be masked"
)
_WITHOUT_GROUPS = "limits of memory, processors and swap are lost; each process is limited by itself"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was looked at."""

    name: str
    available: bool
    detail: str  # what was found, or why it is not there
    cure: str = ""  # what to do when it is not
    needed: bool = True  # whether the `namespace` level needs it


def examine() -> tuple[Fact, ...]:
    """All facts, in the order in which they should be cured. Starts one short process; takes some 50 ms."""
    if sys.platform != "linux":
        detail = f"{platform.system()} has no namespaces"
        return (Fact("operating system", False, detail, "use Linux, or --isolation process for development"),)
    privileges, spaces = _privileges(), _namespaces()
    return (_kernel(), privileges, *spaces, _cgroups(), _freezing(), _seccomp(), _no_new_privileges(), _overlay())


def obstacles(facts: Iterable[Fact]) -> list[str]:
    """Why the `namespace` level cannot be had, with the cures; empty when it can."""
    return [
        f"{fact.name}: {fact.detail}" + (f" ({fact.cure})" if fact.cure else "")
        for fact in facts
        if fact.needed and not fact.available
    ]


def levels(facts: Iterable[Fact]) -> tuple[Isolation, ...]:
    """The levels of isolation that this machine can give, the strongest first."""
    return ("process",) if obstacles(facts) else ("namespace", "process")


def _kernel() -> Fact:
    release = platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    detail = f"Linux {release} on {platform.machine()}"
    if not kernel.supported():
        return Fact("kernel", False, f"{detail}: only x86_64 and aarch64 are supported")
    return Fact("kernel", numbers >= OLDEST_KERNEL, detail, "upgrade to Linux 5.3 or later")


def _privileges() -> Fact:
    """Anybody may make namespaces in a user namespace; what that lacks is said."""
    uid = os.geteuid()
    if uid == 0:
        return Fact("privileges", True, "running as root", needed=False)
    lost = (
        f"running as user id {uid}, which all instances share outside of their user namespaces; no package or "
        "function templates, so that starts are slower, and no OCI runtimes"
    )
    return Fact("privileges", False, lost, "start Mayfly as root", needed=False)


def _namespaces() -> tuple[Fact, Fact]:
    """Namespaces, and user namespaces inside them."""
    arguments = [str(interpreters.current().path), "-I", "-S", "-c", _NAMESPACES, str(parcel.source())]
    try:
        done = subprocess.run(arguments, capture_output=True, timeout=_TRY_S, text=True, stdin=subprocess.DEVNULL)  # noqa: PLW1510
    except (OSError, subprocess.SubprocessError) as error:
        return Fact("namespaces", False, str(error)), Fact("user namespaces", False, str(error))
    reason = (done.stderr.strip().splitlines() or [""])[-1]
    detail = "mount, pid, network, ipc and uts namespaces can be made" if done.returncode == 0 else reason
    cure = "in a container, start it with --privileged, or with CAP_SYS_ADMIN and without its seccomp profile"
    if os.geteuid() != 0:
        cure = _FOR_USERS
    own = done.stdout.strip() == "own"
    said = "each instance has one of its own" if own else "instances have none of their own: the kernel refuses"
    both = Fact("namespaces", done.returncode == 0, detail, cure)
    return both, Fact("user namespaces", own, said, _FOR_USERS, needed=os.geteuid() != 0)


def _cgroups() -> Fact:
    """Only root cannot do without: others have them where systemd hands some over."""
    found = _find_cgroups()
    if found.available or os.geteuid() == 0:
        return found
    cure = "have systemd hand some over: systemd-run --user --scope -p Delegate=yes mayfly up, or start Mayfly as root"
    return Fact(found.name, False, f"{found.detail}: {_WITHOUT_GROUPS}", cure, needed=False)


def _find_cgroups() -> Fact:
    cure = "mount cgroup2 with the controllers memory, cpu and pids, writable"
    try:
        layout = hierarchy.read_layout()
    except (OSError, hierarchy.NoControllersError) as error:
        return Fact("control groups", False, str(error), cure)
    for _, directory in layout.roots:
        trial = Path(directory) / f"mayfly-trial-{os.getpid()}"
        try:
            trial.mkdir()
            trial.rmdir()
            blocked = layout.version == 2 and hierarchy.is_blocked(directory)
        except OSError as error:
            return Fact("control groups", False, f"version {layout.version}, but {error}", cure)
        if blocked:
            detail = f"version 2, but {directory} holds processes that cannot be seen, and so not moved away, from here"
            return Fact("control groups", False, detail, "start Mayfly in a group, or a container, of its own")
    return Fact("control groups", True, f"version {layout.version}: memory, cpu and pids")


def _freezing() -> Fact:
    """Idle instances are frozen by the unified hierarchy, also where another one limits them."""
    name, cure = "freezing", "mount cgroup2, writable: mount -t cgroup2 none /sys/fs/cgroup/unified"
    otherwise = "idle instances are not frozen, and what a function leaves running runs on"
    try:
        layout = hierarchy.read_layout()
    except (OSError, hierarchy.NoControllersError) as error:
        return Fact(name, False, f"{error}: {otherwise}", needed=False)
    why = "no unified hierarchy is mounted"
    for directory in layout.freezing or (root for _, root in layout.roots if layout.version == 2):
        trial = Path(directory) / f"mayfly-freezing-{os.getpid()}"
        try:
            trial.mkdir()
            found = (trial / "cgroup.freeze").exists()
            trial.rmdir()
        except OSError as error:
            why = str(error)
            continue
        if found:
            return Fact(name, True, f"version 2, in {directory}", needed=False)
        why = "Linux 5.2 or later is needed"
    return Fact(name, False, f"{why}: {otherwise}", cure, needed=False)


def _seccomp() -> Fact:
    if _status("Seccomp") is None:
        return Fact("system call filter", False, "the kernel was built without seccomp", "use a kernel with seccomp")
    try:
        seccomp.load_library()
    except seccomp.NoFilterError as error:
        return Fact("system call filter", False, str(error), "apt install libseccomp2, or dnf install libseccomp")
    return Fact("system call filter", True, "seccomp, compiled by libseccomp")


def _no_new_privileges() -> Fact:
    known = _status("NoNewPrivs") is not None
    return Fact("no new privileges", known, "known to the kernel" if known else "not known to the kernel")


def _overlay() -> Fact:
    known = False
    with contextlib.suppress(OSError):
        known = "\toverlay\n" in Path("/proc/filesystems").read_text()
    with contextlib.suppress(OSError):  # a module is loaded by the first mount
        known = known or "/overlay.ko" in Path(f"/lib/modules/{platform.release()}/modules.dep").read_text()
    detail = "overlayfs" if known else "without overlayfs, a function can have one layer only"
    return Fact("merged layers", known, detail, "modprobe overlay", needed=False)


def _status(field: str) -> str | None:
    """A field of /proc/self/status."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return value.strip()
    return None
