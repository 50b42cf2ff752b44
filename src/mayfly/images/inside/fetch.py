"""Becomes skopeo, as an unprivileged user that may write to one directory, and that ends when the server does.

Arguments: the user to become, the most bytes of a file, then the program and its arguments. The current directory is
the one that it may write to; its environment is what it was given.
"""

import ctypes
import os
import resource
import sys

from mayfly.images.inside.shut_in import die_with_parent

_NO_NEW_PRIVILEGES = 38


def main() -> None:
    uid, most_file_bytes = int(sys.argv[1]), int(sys.argv[2])
    libc = ctypes.CDLL(None, use_errno=True)
    os.umask(0o077)
    os.nice(10)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    die_with_parent(libc)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_file_bytes, most_file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606  # no shell is what is wanted
