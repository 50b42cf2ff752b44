"""Trees of files that change: copies of a package by hard links, and some of their files replaced.

What a tree is made of never changes, because instances run from it; a change makes another one. Copying costs a link a
file, whatever their size, so it is done ahead, and what is left to do is what was changed. Everything here blocks, and
runs in the library's threads.

Changes come from outside: a zip, checked like a package, and names. No step follows a symbolic link: what stands in the
way of a file is removed, whatever it is, so that below a link there never is anything and `archive` says why none leads
out.
"""

import io
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from mayfly.services.functions.code import unpack
from mayfly.services.functions.code.archive import open_archive, parts_of, plan

_DIRECTORY = 0o755
_CACHE = "__pycache__"


def clone(source: Path, target: Path) -> None:
    """Make `target` hold the same files as `source`."""
    target.mkdir()
    target.chmod(_DIRECTORY)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                clone(Path(entry.path), target / entry.name)
            else:
                os.link(entry.path, target / entry.name, follow_symlinks=False)


def amend(tree: Path, archive: bytes, removed: Sequence[str], limit: int) -> int:
    """Put what is in a zip into `tree`, and take away the files that `removed` names; by how many bytes it grew.

    `limit`: how many bytes the zip may unpack to. `BadArchiveError`, `ArchiveTooLargeError`.
    """
    grown = 0
    for name in removed:
        grown -= _remove(tree, parts_of(name))
    if not archive:
        return grown
    with open_archive(io.BytesIO(archive)) as opened:
        for entry in plan(opened, limit).entries:
            if entry.kind == stat.S_IFDIR:
                grown -= _make_way(tree, entry.path)
                continue
            grown -= _make_way(tree, entry.path[:-1]) + _clear(tree, entry.path)
            path = tree.joinpath(*entry.path)
            if entry.kind == stat.S_IFLNK:
                unpack.write_link(opened, entry, path)
            else:
                grown += unpack.write_file(opened, entry, path, durable=False)
    return grown


def _make_way(tree: Path, parts: Sequence[str]) -> int:
    """Have real directories on the way to a place; the bytes of what stood there instead."""
    gone = 0
    path = tree
    for part in parts:
        path /= part
        if path.is_symlink() or not path.is_dir():
            gone += _unlink(path)
            path.mkdir()
            path.chmod(_DIRECTORY)
    return gone


def _remove(tree: Path, parts: tuple[str, ...]) -> int:
    """Take a file away, and directories that are empty then; the bytes that are gone."""
    if not parts or not _within(tree, parts):
        return 0
    gone = _clear(tree, parts)
    for depth in range(len(parts) - 1, 0, -1):
        directory = tree.joinpath(*parts[:depth])
        if any(directory.iterdir()):
            break
        directory.rmdir()
    return gone


def _within(tree: Path, parts: Sequence[str]) -> bool:
    """Whether real directories lead to a place."""
    path = tree
    for part in parts[:-1]:
        path /= part
        if path.is_symlink() or not path.is_dir():
            return False
    return True


def _clear(tree: Path, parts: tuple[str, ...]) -> int:
    """Have nothing at a place; the bytes that are gone. Bytecode of a module goes with it: it is never checked against
    its source."""
    path = tree.joinpath(*parts)
    if path.suffix == ".py" and (cache := path.parent / _CACHE).is_dir() and not cache.is_symlink():
        for compiled in cache.glob(f"{_literal(path.stem)}.*.pyc"):
            compiled.unlink()
        if not any(cache.iterdir()):
            cache.rmdir()
    return _unlink(path)


def _literal(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _unlink(path: Path) -> int:
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return 0
    if stat.S_ISDIR(facts.st_mode):
        size = sum(one.lstat().st_size for one in path.rglob("*") if not one.is_dir())
        shutil.rmtree(path)
        return size
    path.unlink()
    return facts.st_size
