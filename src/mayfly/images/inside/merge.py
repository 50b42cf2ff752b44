"""Makes a root file system of layers that are unpacked: real directories, and hard links to the layers' files.

So images that share layers share files, on disk and in memory, and an instance's start mounts one directory. Layers
are applied from the lowest up; what one of them removes is removed of those below it. A directory that a layer does not
name itself, and for which there is a link to a directory, stays that link: many tools write `lib/x` where `lib` is one.

The current directory holds both layers and the new root. Standard input: JSON, {"layers": [path, ...], "root": path}.
Arguments: the user to become. Output: one line of JSON, as of `layer`.
"""

import errno
import json
import os
import shutil
import stat
import sys

from mayfly.images.inside.layer import OPAQUE, WHITEOUT
from mayfly.images.inside.paths import BrokenError, parts_of, resolve
from mayfly.images.inside.shut_in import shut_in, sync

MOUNTED = ("dev", "proc", "sys", "tmp")  # what an instance has of its own must find a place
_HOSTS = b"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


class Root:
    """The root file system at `root` while it is made."""

    def __init__(self, root: str) -> None:
        self._root = root

    def apply(self, layer: str) -> None:
        """Lay one layer over what is there."""
        with open(f"{layer}/implicit", "rb") as file:
            implicit = {os.fsdecode(path) for path in file.read().split(b"\0") if path}
        todo = [("", "")]  # where in the layer, where in the root
        while todo:
            inside, target = todo.pop()
            source = f"{layer}/tree/{inside}" if inside else f"{layer}/tree"
            with os.scandir(source) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            self._remove(entries, target)
            for entry in entries:
                if entry.name.startswith(WHITEOUT):
                    continue
                path = f"{inside}/{entry.name}" if inside else entry.name
                place = f"{target}/{entry.name}" if target else entry.name
                if entry.is_dir(follow_symlinks=False):
                    todo.append((path, self._directory(entry, place, path in implicit)))
                else:
                    self._clear(place)
                    _link(entry.path, f"{self._root}/{place}")

    def _remove(self, entries: "list[os.DirEntry[str]]", target: str) -> None:
        """Carry out the markers of one directory of a layer."""
        names = [entry.name for entry in entries]
        if OPAQUE in names:
            for name in os.listdir(f"{self._root}/{target}"):
                self._clear(f"{target}/{name}" if target else name)
        for name in names:
            if name.startswith(WHITEOUT) and name != OPAQUE:
                gone = name.removeprefix(WHITEOUT)
                self._clear(f"{target}/{gone}" if target else gone)

    def _directory(self, entry: "os.DirEntry[str]", place: str, implicit: bool) -> str:
        """Make sure of a directory at `place`; where it really is."""
        path = f"{self._root}/{place}"
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            mode = 0
        if implicit and stat.S_ISLNK(mode):
            found = resolve(self._root, parts_of(place), lambda missing: False)
            if found is not None:
                return found
        if not stat.S_ISDIR(mode):
            self._clear(place)
            os.mkdir(path)
        if not implicit or not stat.S_ISDIR(mode):
            os.chmod(path, stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode))
        return place

    def _clear(self, place: str) -> None:
        path = f"{self._root}/{place}"
        try:
            mode = os.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        if stat.S_ISDIR(mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)

    def complete(self) -> None:
        """Add what an instance needs and images may lack."""
        for name in (*MOUNTED, "etc"):
            path = f"{self._root}/{name}"
            if name == "etc" and resolve(self._root, ("etc",), lambda missing: False) is not None:
                continue
            if not (os.path.isdir(path) and not os.path.islink(path)):
                self._clear(name)
                os.mkdir(path)
                os.chmod(path, 0o1777 if name == "tmp" else 0o755)
        etc = resolve(self._root, ("etc",), lambda missing: False)
        for name, content in (("hosts", _HOSTS), ("resolv.conf", b"")):
            place = f"{etc}/{name}"
            path = f"{self._root}/{place}"
            if not os.path.lexists(path) or (os.path.isfile(path) and os.path.getsize(path) == 0):
                self._clear(place)
                with open(path, "wb") as file:
                    os.fchmod(file.fileno(), 0o644)
                    file.write(content)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.EMLINK:  # a file system lets one file have so many names only
            raise
        shutil.copy2(source, target, follow_symlinks=False)


def main() -> None:
    (uid,) = (int(argument) for argument in sys.argv[1:])
    answer: dict[str, object] = {}
    try:
        asked = json.load(sys.stdin)
        shut_in(uid, 1 << 34)
        root = Root(asked["root"])
        os.mkdir(asked["root"], 0o755)
        for layer in asked["layers"]:
            root.apply(layer)
        root.complete()
        sync()
    except BrokenError as error:
        answer = {"error": "broken", "message": str(error)}
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        answer = {"error": "disk-full" if full else "broken", "message": str(error)}
    print(json.dumps(answer), flush=True)  # noqa: T201  # this is what the server waits for
