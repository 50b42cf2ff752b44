"""Becomes skopeo, as an unprivileged user that may write to one directory, and that ends when the server does.

Arguments: the user to become, the most bytes of a file, then the program and its arguments. The current directory is
the one that it may write to. As it lies where only the server may go, it is shown as /tmp in a name space of mounts of
its own; a server that is not root shares its user with it, and it stays where it is.
"""

import ctypes
import os
import resource
import sys

from mayfly.images.inside.shut_in import die_with_parent

_NO_NEW_PRIVILEGES = 38
_NEW_MOUNTS = 0x00020000
_BIND, _PRIVATE, _RECURSIVE = 0x1000, 0x40000, 0x4000
_TEMPORARY = b"/tmp"  # its own


def main() -> None:
    uid, most_file_bytes = int(sys.argv[1]), int(sys.argv[2])
    libc = ctypes.CDLL(None, use_errno=True)
    os.umask(0o077)
    os.nice(10)
    home = os.getcwd()
    if os.geteuid() == 0:
        _move_in(libc)
        home = _TEMPORARY.decode()
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    die_with_parent(libc)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_file_bytes, most_file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    environment = {**os.environ, "HOME": home, "TMPDIR": home, "XDG_RUNTIME_DIR": home}
    os.execve(sys.argv[3], sys.argv[3:], environment)  # no shell is what is wanted


def _move_in(libc: ctypes.CDLL) -> None:
    """Show the current directory as /tmp, to this process alone."""
    if (
        libc.unshare(_NEW_MOUNTS) != 0
        or libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None) != 0
        or libc.mount(b".", _TEMPORARY, None, _BIND, None) != 0
    ):
        error = ctypes.get_errno()
        sys.exit(f"mounts of its own cannot be had: {os.strerror(error)}")
    os.chdir(_TEMPORARY)
