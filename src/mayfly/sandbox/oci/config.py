"""The `config.json` of a container, by the OCI runtime specification. Pure: values in, a JSON object out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

from mayfly.sandbox.agent import masks, profile, root

VERSION = "1.0.2"
_COMPILED = "run.oci.seccomp_bpf_data"  # crun's; others ignore it, and compile
_OUT_OF_MEMORY_SCORE = 300  # functions go before the server does
_INODES_A_MB = 64
_HIDDEN = tuple(f"/proc/{name}" for name in (*masks.FILES, *masks.DIRECTORIES))
# What is shown instead of the machine's own, where its kernel is the one that answers. Most runtimes mount a few files
# below /proc and nothing else there: they hide the other.
_STATISTICS, _LIMITS = "/proc/stat", "/proc/sys/fs"
_FIXED = ("/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger")


class Inside(NamedTuple):
    """What one container is to be."""

    root: str  # a directory of the host
    base: str  # the same without an image: where `masks` finds its files
    arguments: tuple[str, ...]
    directory: str
    uid: int
    ephemeral_mb: int
    open_files: int
    filtered: bool  # by seccomp, and /proc by masks: where the machine's own kernel answers system calls
    mounts_anywhere: bool = False  # the runtime mounts what it is told to, also below /proc
    listener: str = ""  # path of a socket for the descriptor by which denials are heard; of `compiled` alone
    compiled: bytes = b""  # the same filter as a program, for runtimes that take it: compiling takes milliseconds


def configuration(inside: Inside) -> dict[str, Any]:
    """The whole file. The runtime itself is in the container's network and user namespace already."""
    most = {"soft": inside.open_files, "hard": inside.open_files}
    return {
        "ociVersion": VERSION,
        "process": {
            "terminal": False,
            "user": {"uid": inside.uid, "gid": inside.uid, "umask": 0o022},
            "args": list(inside.arguments),
            "env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"],
            "cwd": inside.directory,
            "noNewPrivileges": True,
            "capabilities": {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")},
            "rlimits": [{"type": "RLIMIT_NOFILE", **most}, {"type": "RLIMIT_CORE", "soft": 1, "hard": 1}],
            "oomScoreAdj": _OUT_OF_MEMORY_SCORE,
        },
        "root": {"path": inside.root, "readonly": True},
        "hostname": root.HOSTNAME,
        "mounts": [*_mounts(inside.ephemeral_mb), *(_instead(inside) if inside.filtered else ())],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
            "maskedPaths": [*_HIDDEN, *(() if inside.mounts_anywhere else (_LIMITS,))],
            "readonlyPaths": list(_FIXED),
            **({"seccomp": {**profile.oci_profile(), **_heard(inside)}} if inside.filtered else {}),
        },
        "annotations": {_COMPILED: base64.b64encode(inside.compiled).decode()} if inside.compiled else {},
    }


def _heard(inside: Inside) -> dict[str, Any]:
    return {"listenerPath": inside.listener} if inside.listener and inside.compiled else {}


def _mounts(ephemeral_mb: int) -> list[dict[str, Any]]:
    private = ["nosuid", "nodev", "noexec"]
    temporary = ["nosuid", "nodev", "mode=1777", f"size={ephemeral_mb}m", f"nr_inodes={ephemeral_mb * _INODES_A_MB}"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": private},
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "dev",
            "options": ["nosuid", "noexec", "mode=755", "size=64k"],
        },
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*private, "mode=1777", "size=64m"]},  # noqa: S108
        {"destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": temporary},  # noqa: S108
    ]


def _instead(inside: Inside) -> Iterator[dict[str, Any]]:
    pairs = [(_STATISTICS, masks.STAT), *([(_LIMITS, masks.FILE_LIMITS)] if inside.mounts_anywhere else [])]
    for target, source in pairs:
        yield {"destination": target, "type": "bind", "source": inside.base + source, "options": ["rbind", "ro"]}
