"""Lays unpacked layers over one another: a tree of real directories with hard links to the layers' files.

So a start mounts one directory however many layers there are, and functions that share layers share their files, on
disk and in memory. Later layers win: a file, a link or a directory takes the place of whatever else had its name; what
is in directories that several have is put together. Bytecode goes with its source, because it is never compared with
it.
Blocking: runs in the library's threads only.

Links stay below the root of the tree as they did below their layers' (`code.archive`): each lies where it lay, and what
it climbs through are real directories still.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from mayfly.services.functions.code.unpack import sync_directory

_CACHE = "__pycache__"


def merge(layers: Sequence[Path], root: Path) -> None:
    """Put `layers`, the last one on top, together at `root`, which must not exist, and make it durable."""
    root.mkdir()
    root.chmod(0o755)
    directories = {root}
    for layer in layers:
        _lay(layer, root, directories)
    for directory in directories:
        if directory.is_dir() and not directory.is_symlink():
            sync_directory(directory)


def add_bytecode(layers: Sequence[Path], root: Path) -> None:
    """Give the tree at `root` the bytecode that its sources have got in their layers since they were put together."""
    for layer in layers:
        for cache in _caches(layer):
            target = root / cache.relative_to(layer)
            with os.scandir(cache) as entries:
                found = [entry.name for entry in entries if entry.name.endswith(".pyc")]
            for name in found:
                source = f"{name.partition('.')[0]}.py"
                if _same(cache.parent / source, target.parent / source) and not _same(cache / name, target / name):
                    target.mkdir(mode=0o755, exist_ok=True)
                    draft = target / f".{name}.linked"
                    draft.unlink(missing_ok=True)
                    _link(cache / name, draft)
                    draft.replace(target / name)


def _lay(layer: Path, root: Path, directories: set[Path]) -> None:
    todo = [(layer, root)]
    while todo:
        source, target = todo.pop()
        with os.scandir(source) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            place = target / entry.name
            if entry.is_dir(follow_symlinks=False):
                _directory(place)
                directories.add(place)
                todo.append((Path(entry.path), place))
            else:
                _clear(place)
                if entry.is_symlink():
                    place.symlink_to(os.readlink(entry.path))
                else:
                    _link(Path(entry.path), place)


def _directory(place: Path) -> None:
    if not _is_directory(place):
        _clear(place)
        place.mkdir()
        place.chmod(0o755)


def _clear(place: Path) -> None:
    """Take away what is there, and bytecode of it: that of another source would be believed."""
    if _is_directory(place):
        shutil.rmtree(place)
        return
    if place.suffix == ".py" and os.path.lexists(place) and _is_directory(place.parent / _CACHE):
        for stale in list((place.parent / _CACHE).iterdir()):
            if stale.name.startswith(f"{place.stem}.") and not _is_directory(stale):
                stale.unlink()
    place.unlink(missing_ok=True)


def _caches(layer: Path) -> Iterator[Path]:
    for directory, names, _ in os.walk(layer):
        if _CACHE in names and not os.path.islink(f"{directory}/{_CACHE}"):
            yield Path(directory, _CACHE)
        names[:] = [name for name in names if name != _CACHE]


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno != errno.EMLINK:  # a file system lets one file have so many names only
            raise
        shutil.copy2(source, target)
