"""Paths below a directory in which links may point anywhere: they are followed as if that directory were the root.

Nobody else changes what is below it meanwhile, so what was looked at stays true.
"""

import os
import stat
from collections import deque
from collections.abc import Callable

MAX_PATH = 2500  # bytes; leaves room for what the tree is below
MAX_NAME = 255
MAX_DEPTH = 200  # so that whoever removes the tree later may do it recursively
_MAX_LINKS = 40


class BrokenError(Exception):
    """The layer cannot be what its maker meant; the message says why."""


def parts_of(name: str) -> tuple[str, ...]:
    """The components of an entry's name; `BrokenError` when it leads out, or is too long."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts or "\0" in name:
        raise BrokenError(f"{name[:200]!r} leads out of the image")
    if len(parts) > MAX_DEPTH or len(os.fsencode(name)) > MAX_PATH:
        raise BrokenError(f"{name[:200]!r}... is too long a path")
    if any(len(os.fsencode(part)) > MAX_NAME for part in parts):
        raise BrokenError(f"{name[:200]!r}... has a component that is too long a name")
    return parts


def resolve(root: str, parts: "tuple[str, ...]", missing: "Callable[[str], bool]") -> "str | None":
    """The real directory that `parts` leads to, as a path relative to `root`; None where there is none.

    `missing` is asked for a directory at a path that does not exist, and says whether it made one.
    """
    real = ""
    todo = deque(parts)
    links = 0
    while todo:
        part = todo.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            real = real.rpartition("/")[0]
            continue
        path = f"{real}/{part}" if real else part
        if len(os.fsencode(path)) > MAX_PATH or path.count("/") >= MAX_DEPTH:
            raise BrokenError(f"{path[:200]!r}... is too long a path")
        try:
            mode = os.lstat(f"{root}/{path}").st_mode
        except FileNotFoundError:
            if not missing(path):
                return None
            mode = stat.S_IFDIR
        if stat.S_ISDIR(mode):
            real = path
        elif stat.S_ISLNK(mode):
            links += 1
            if links > _MAX_LINKS:
                raise BrokenError(f"{'/'.join(parts)[:200]!r} goes through too many links")
            target = os.readlink(f"{root}/{path}")
            real = "" if target.startswith("/") else real
            todo.extendleft(reversed(target.split("/")))
        else:
            return None
    return real
