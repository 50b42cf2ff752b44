"""System calls that no function needs, with arguments that a kernel without protection would not refuse so.

Each is harmless where it succeeds, in a child that ends at once: what is asked for is what is already so, or cannot be.
"""

import errno
from dataclasses import dataclass
from typing import Any

EPERM, ENOSYS = errno.EPERM, errno.ENOSYS
CWD = -100
NAMESPACES = {
    "mount": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "network": 0x40000000,
    "time": 0x00000080,
}


@dataclass(frozen=True)
class Call:
    """One attempt by a system call; see `attempts.system_call` for the arguments."""

    name: str
    arguments: tuple[Any, ...] = ()
    attempt: str = ""  # what it is, where the name does not say it
    gvisor: int = EPERM  # what gVisor's kernel answers; 0 where that call asks nothing of anybody but itself

    def __str__(self) -> str:
        return f"{self.name}-{self.attempt}".rstrip("-")


MOUNTS = (
    Call("mount", ("none", "/nowhere", "tmpfs", 0, 0)),
    Call("mount", (0, "/nowhere", 0, 4096 | 32, 0), "remount-writable"),
    Call("mount", ("none", "/nowhere", "cgroup", 0, "release_agent=/tmp/x"), "release-agent"),
    Call("umount2", ("/nowhere", 2)),
    Call("pivot_root", ("/nowhere", "/nowhere")),
    Call("chroot", ("/",)),
    Call("open_tree", (CWD, "/", 1), gvisor=ENOSYS),
    Call("fsopen", ("tmpfs", 0), gvisor=ENOSYS),
    Call("fspick", (CWD, "/", 0), gvisor=ENOSYS),
    Call("fsconfig", (-1, 6, 0, 0, 0), gvisor=ENOSYS),
    Call("fsmount", (-1, 0, 0), gvisor=ENOSYS),
    Call("move_mount", (-1, "", -1, "", 0), gvisor=ENOSYS),
    Call("mount_setattr", (CWD, "/nowhere", 0, [32], 32), gvisor=ENOSYS),
    Call("open_by_handle_at", (-1, 0, 0), gvisor=errno.ENOTSUP),
    Call("name_to_handle_at", (CWD, "/", [64], [8], 0), gvisor=errno.ENOTSUP),
    Call("quotactl", (-1, 0, 0, 0)),
    Call("swapon", ("/nowhere", 0)),
    Call("swapoff", ("/nowhere",)),
)
KEYS = (
    Call("add_key", ("user", "mine", "secret", 6, -2), gvisor=errno.EACCES),
    Call("keyctl", (0, -4, 0), "session-keyring", gvisor=errno.EACCES),
    Call("keyctl", (1, 0), "join-session", gvisor=errno.EACCES),
    Call("request_key", ("user", "theirs", 0, 0), gvisor=errno.EACCES),
)
OTHERS = (
    Call("ptrace", (0, 0, 0, 0), "traceme", gvisor=0),
    Call("process_vm_writev", (1, 0, 0, 0, 0, 0), gvisor=ENOSYS),
    Call("process_madvise", (-1, 0, 0, 0, 0), gvisor=ENOSYS),
    Call("pidfd_getfd", (-1, 0, 0), gvisor=ENOSYS),
    Call("kcmp", (1, 1, 0, 0, 0)),
    Call("move_pages", (0, 0, 0, 0, 0, 0)),
    Call("migrate_pages", (0, 0, 0, 0)),
    Call("perf_event_open", (0, 0, -1, -1, 0), gvisor=errno.ENODEV),
)
SURFACE = (
    Call("bpf", (0, 0, 0)),
    Call("userfaultfd", (1,), gvisor=ENOSYS),
    Call("io_uring_setup", (8, 0), gvisor=errno.EFAULT),
    Call("io_uring_enter", (-1, 0, 0, 0, 0)),
    Call("io_uring_register", (-1, 0, 0, 0), gvisor=ENOSYS),
    Call("fanotify_init", (0, 0), gvisor=ENOSYS),
    Call("vmsplice", (-1, 0, 0, 0), gvisor=ENOSYS),
    Call("memfd_secret", (0,), gvisor=ENOSYS),
    Call("modify_ldt", (0, 0, 0)),
    Call("personality", (0x0040000,), "addresses-not-random", gvisor=errno.EINVAL),
)
MACHINE = (
    Call("reboot", (0, 0, 0, 0)),
    Call("kexec_load", (0, 0, 0, 0xFFFF)),
    Call("kexec_file_load", (-1, -1, 0, 0, 0xFFFF)),
    Call("init_module", (0, 0, "")),
    Call("finit_module", (-1, "", 0)),
    Call("delete_module", ("no-such-module", 0)),
    Call("iopl", (0,)),
    Call("ioperm", (0, 1, 0)),
    Call("acct", ("/nowhere",)),
    Call("syslog", (10, 0, 0), gvisor=0),
    Call("sethostname", ("evil", -1)),
    Call("setdomainname", ("evil", -1)),
    Call("settimeofday", (0, 0)),
    Call("clock_settime", (0, 0)),
    Call("adjtimex", ([256],)),
    Call("clock_adjtime", (0, [256])),
)
ALL = (*MOUNTS, *KEYS, *OTHERS, *SURFACE, *MACHINE)
