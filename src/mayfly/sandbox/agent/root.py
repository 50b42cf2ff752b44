"""The file system that a function sees: built once a template, read-only, shared by all of its instances.

It consists of the machine's programs and libraries, the interpreter at its own path, a made-up /etc, five devices and
the runtime's packages. Nothing else of the host is in it, and what an instance may write to is mounted by `isolate`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shutil
import stat
from typing import NamedTuple, Optional

from mayfly.sandbox.agent import kernel, masks

SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
# What programs look up in /etc that says nothing about the host.
ETC_COPIED = ("ld.so.cache", "mime.types", "services", "protocols")
ETC_BOUND = (
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "crypto-policies",
)
JAVA = "java-*-openjdk"  # where Debian's JDKs have their configuration
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
READ_ONLY = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
HOSTNAME = "mayfly"
LANGUAGE = "/var/lang/bin"
# Where `node.launch` looks for them. It is not imported, because keepers have this module, and next to no others.
NODE, NODE_BOOTSTRAP = f"{LANGUAGE}/node", "/var/runtime/mayfly/bootstrap.cjs"
# Where a nest keeps a /proc without masks, out of reach below a directory that is root's: the kernel lets a user
# namespace mount a /proc of its own only where a whole one is to be seen.
WHOLE_PROC = "/etc/proc.whole/proc"


class RootPlan(NamedTuple):
    """What to build."""

    stage: str  # an empty directory of the host, to build on
    prefix: str  # the interpreter's installation
    packages: tuple[str, ...]  # files and directories for /var/runtime
    first_uid: int
    uids: int
    node: Optional[dict[str, str]] = None  # noqa: UP045 (of Node.js: executable, modules if any, and bootstrap)
    # What else of the host is in it, and where: installations of other languages at their own paths, the code of a
    # managed runtime that is executed as a file.
    shown: tuple[tuple[str, str], ...] = ()
    python: str = ""  # the interpreter's executable, where functions of Python see this


def enter(plan: RootPlan, *, alone: bool = False) -> None:
    """Leave the host's file system for the one built from `plan`; the caller has a mount namespace of its own.

    `alone`: in a user namespace, from which a /proc can be mounted only where a whole one is in sight; instances take
    it out of theirs.
    """
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    new = plan.stage
    build(plan)
    if alone:
        kernel.mount("/proc", f"{new}{WHOLE_PROC}", None, kernel.MS_BIND | kernel.MS_REC)
    os.mkdir(f"{new}/.host")
    kernel.pivot_root(new, f"{new}/.host")
    os.chdir("/")
    kernel.unmount("/.host")
    os.rmdir("/.host")
    kernel.mount("none", "/", None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID)


def build(plan: RootPlan) -> None:
    """Mount it on the stage, and stay where one is."""
    new = plan.stage
    kernel.mount("mayfly", new, "tmpfs", kernel.MS_NOSUID, "mode=755,size=16m")
    _programs(new)
    for installation in dict.fromkeys((plan.prefix, *(source for source, place in plan.shown if source == place))):
        _interpreter(new, installation)
    _etc(new, plan)
    _devices(new)
    _runtime(new, plan.packages)
    for source, place in plan.shown:
        if source != place:
            _bind_at(source, new + place)
    if plan.node is not None:
        _node(new, plan.node)
    elif plan.python:
        _python(new, plan.python)
    for name in ("proc", "tmp", "opt", "var/task", "var/tmp", "home", "root"):
        os.makedirs(f"{new}/{name}", exist_ok=True)
    os.makedirs(f"{new}{WHOLE_PROC}")
    os.chmod(os.path.dirname(new + WHOLE_PROC), 0o700)


def _programs(new: str) -> None:
    for name in SYSTEM:
        source = f"/{name}"
        if os.path.islink(source):
            os.symlink(os.readlink(source), new + source)
        elif os.path.isdir(source):
            os.mkdir(new + source)
            kernel.bind(source, new + source, READ_ONLY)


def _interpreter(new: str, prefix: str) -> None:
    """Show the installation at its own path, so that all the paths inside it hold."""
    if any(prefix == f"/{name}" or prefix.startswith(f"/{name}/") for name in SYSTEM):
        return
    os.makedirs(new + prefix, mode=0o755, exist_ok=True)
    kernel.bind(prefix, new + prefix, READ_ONLY)


def _etc(new: str, plan: RootPlan) -> None:
    etc = f"{new}/etc"
    os.mkdir(etc)
    uids = range(plan.first_uid, plan.first_uid + plan.uids)
    texts = {
        "passwd": "root:x:0:0:root:/root:/sbin/nologin\n"
        + "".join(f"sbx_user{uid}:x:{uid}:{uid}::/tmp:/sbin/nologin\n" for uid in uids),
        "group": "root:x:0:\n" + "".join(f"sbx_user{uid}:x:{uid}:\n" for uid in uids),
        "hosts": f"127.0.0.1 localhost {HOSTNAME} sandbox.localdomain sandbox\n::1 localhost\n",
        "hostname": f"{HOSTNAME}\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
        "resolv.conf": "nameserver 127.0.0.1\n",  # where one is answers only where something may be reached
    }
    for name, text in texts.items():
        _file(f"{etc}/{name}", text.encode())
    with open("/proc/stat") as file:
        _file(new + masks.STAT, masks.idle_stat(file.read()).encode())
    masks.copy_file_limits(new + masks.FILE_LIMITS)
    for name in ETC_COPIED:
        with contextlib.suppress(OSError):
            shutil.copyfile(f"/etc/{name}", f"{etc}/{name}")
            os.chmod(f"{etc}/{name}", 0o644)
    with contextlib.suppress(OSError):
        shutil.copyfile("/usr/share/zoneinfo/UTC", f"{etc}/localtime")
        os.chmod(f"{etc}/localtime", 0o644)
    if os.path.exists("/usr/lib/os-release"):
        os.symlink("../usr/lib/os-release", f"{etc}/os-release")
    for name in (*ETC_BOUND, *fnmatch.filter(os.listdir("/etc"), JAVA)):
        if os.path.exists(f"/etc/{name}"):
            _bind_at(f"/etc/{name}", f"{etc}/{name}")


def _devices(new: str) -> None:
    dev = f"{new}/dev"
    os.mkdir(dev)
    kernel.mount("mayfly", dev, "tmpfs", kernel.MS_NOSUID | kernel.MS_NOEXEC, "mode=755,size=64k")
    for name, (major, minor) in DEVICES.items():
        try:
            os.mknod(f"{dev}/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
            os.chmod(f"{dev}/{name}", 0o666)  # noqa: S103 (the umask does not apply to a device that all may use)
        except PermissionError:
            _file(f"{dev}/{name}", b"")
            kernel.mount(f"/dev/{name}", f"{dev}/{name}", None, kernel.MS_BIND)
    os.mkdir(f"{dev}/shm")
    os.symlink("/proc/self/fd", f"{dev}/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{dev}/{name}")
    kernel.mount("none", dev, None, kernel.MS_REMOUNT | kernel.MS_BIND | READ_ONLY & ~kernel.MS_NODEV)


def _runtime(new: str, packages: tuple[str, ...]) -> None:
    os.makedirs(f"{new}/var/runtime")
    for source in packages:
        _bind_at(source, f"{new}/var/runtime/{os.path.basename(source)}")


def _node(new: str, node: dict[str, str]) -> None:
    """Where AWS has it. Modules of the runtime are found from everywhere, by ES modules too: they know no NODE_PATH."""
    _bind_at(node["path"], new + NODE)
    _bind_at(node["bootstrap"], new + os.path.dirname(NODE_BOOTSTRAP))
    if node["modules"]:
        _bind_at(node["modules"], f"{new}/var/runtime/node_modules")
        os.symlink("var/runtime/node_modules", f"{new}/node_modules")


def _python(new: str, executable: str) -> None:
    """Where AWS has it, for programs of packages and layers: `#!/var/lang/bin/python`, `#!/usr/bin/env python3`."""
    os.makedirs(new + LANGUAGE)
    for name in {"python", "python3", os.path.basename(executable)}:
        os.symlink(executable, f"{new}{LANGUAGE}/{name}")


def _bind_at(source: str, target: str) -> None:
    """Show a file or directory, whose real place may be elsewhere, at a path that is made for it."""
    source = os.path.realpath(source)
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _file(target, b"")
    kernel.bind(source, target, READ_ONLY)


def _file(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o644)
