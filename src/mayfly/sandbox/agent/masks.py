"""What of /proc is out of a function's sight, although it is not about processes: the machine's own.

A pid namespace hides siblings, but /proc also counts for the machine as a whole: interrupts, context switches, the work
of each processor to the hundredth of a second. By these a function could time what its siblings do. Keys and the
kernel's tables go, too: most of them none but root may read, and a mask holds should that fail. /sys is not mounted.

What stays, because programs need it and it says little: meminfo, cpuinfo, loadavg, uptime, version, filesystems,
and /proc/sys without its counters; everything read-only. Called by `isolate`, and by `root` for what is shown instead.
"""

from __future__ import annotations

import contextlib
import os

from mayfly.sandbox.agent import kernel

FILES = (
    *("interrupts", "softirqs", "vmstat", "zoneinfo", "buddyinfo", "diskstats", "schedstat", "sched_debug"),
    *("latency_stats", "timer_list", "timer_stats", "keys", "key-users", "kcore", "kallsyms", "sysrq-trigger"),
    *("iomem", "ioports"),  # by these a function could know the machine, and find itself again on it
)
DIRECTORIES = ("acpi", "asound", "scsi", "pressure", "irq", "fs", "firmware")
STAT = "/etc/proc.stat"  # what processors did: nothing
FILE_LIMITS = "/etc/proc.sys.fs"  # a copy of the limits in /proc/sys/fs, without what counts
_COUNTERS = ("file-nr", "inode-nr", "inode-state", "dentry-state", "aio-nr", "binfmt_misc")

_EMPTY_DIRECTORY = "/home"
_NULL = "/dev/null"
# Prepared, because each instance mounts all of them, and each of these calls is most of a millisecond's hundredth.
_MOUNTS = tuple(
    (source.encode(), f"/proc/{name}".encode())
    for source, names in (
        (_NULL, FILES),
        (_EMPTY_DIRECTORY, DIRECTORIES),
        (STAT, ("stat",)),
        (FILE_LIMITS, ("sys/fs",)),
    )
    for name in names
    if os.path.exists(f"/proc/{name}")
)


def cover() -> None:
    """Lay the masks over the /proc of this mount namespace."""
    for source, target in _MOUNTS:
        kernel.cover(source, target)


def copy_file_limits(into: str) -> None:
    """Make `FILE_LIMITS` at `into`; what cannot be read is left out."""
    for directory, directories, files in os.walk("/proc/sys/fs"):
        directories[:] = [name for name in directories if name not in _COUNTERS]
        target = into + directory[len("/proc/sys/fs") :]
        os.makedirs(target, mode=0o755, exist_ok=True)
        for name in files:
            if name not in _COUNTERS:
                with contextlib.suppress(OSError), open(f"{directory}/{name}", "rb") as file:
                    content = file.read()
                    with open(f"{target}/{name}", "wb") as copy:
                        copy.write(content)


def idle_stat(stat: str) -> str:
    """The text of /proc/stat with its counters at zero: programs count processors by its lines."""
    lines = []
    for line in stat.splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu"):
            lines.append(" ".join([name, *("0" for _ in numbers)]))
        elif name == "btime":
            lines.append(line)
    return "\n".join([*lines, "intr 0", "ctxt 0", "processes 0", "procs_running 1", "procs_blocked 0", ""])
