"""How a process gives up what it does not need before it reads the first byte of an image. Standard library only.

As root: a new network, mounts, host name and IPC, its working directory as root directory, an unprivileged user, no
new processes. Without root the limits hold, and files and network stay.
"""

import ctypes
import encodings
import os
import resource
import sys

MEMORY = 1 << 30
CPU_S = 1800
OPEN_FILES = 64
_NO_NEW_PRIVILEGES = 38
_DIE_WITH_PARENT = 1
_NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x40000000  # mounts, host name, IPC, network


def shut_in(uid: int, most_file_bytes: int) -> None:
    """Give it up, for good; from here on the current directory is all there is, and belongs to `uid`."""
    # No file that can be seen from now on may ever be imported.
    encodings.__path__[:] = []
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    os.umask(0o022)
    os.nice(10)
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        libc.unshare(_NEW_NAMESPACES)  # in a container that may not, the rest holds
        os.chroot(".")
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    die_with_parent(libc)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_file_bytes, most_file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with_parent(libc: ctypes.CDLL) -> None:
    """End when the server does. A change of user undoes this, so it comes after it."""
    libc.prctl(_DIE_WITH_PARENT, 9, 0, 0, 0)
    if os.getppid() == 1:
        sys.exit(1)


def sync() -> None:
    """Make all that was written to the current file system durable."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "the layer could not be made durable")
    finally:
        os.close(descriptor)
