"""One function whose files change: what changed of its folder is sent, and its next call runs it. `mayfly dev` asks."""

import base64
import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mayfly.cli.connection import Connection
from mayfly.cli.packaging import EPOCH, SKIPPED_FOLDERS, Part, files

PAGE = "/_mayfly/dev"


def name_in_package(path: Path, root: Path) -> str | None:
    """What a file of a function's folder is called in its package; None for what is never in one."""
    try:
        relative = path.relative_to(root)
    except ValueError:
        return None
    if path.suffix == ".pyc" or not relative.parts or not SKIPPED_FOLDERS.isdisjoint(relative.parts):
        return None
    return relative.as_posix()


@dataclass(frozen=True, slots=True)
class Content:
    """Of one file, at one moment."""

    data: bytes
    executable: bool

    @classmethod
    def of(cls, path: Path) -> "Content | None":
        """None where there is no file."""
        try:
            return cls(path.read_bytes(), bool(path.stat().st_mode & 0o111))
        except OSError:
            return None

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.data).digest() + bytes([self.executable])


def archived(files: Mapping[str, Content]) -> bytes:
    """A zip of files under the names that they have in a package. Not compressed: it goes to this machine, or near."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = (stat.S_IFREG | (0o755 if content.executable else 0o644)) << 16
            archive.writestr(entry, content.data)
    return buffer.getvalue()


@dataclass
class Swapper:
    """Of one function; `base` is what it runs on, as the server calls it, `known` the files that are in that, with the
    digests of those that were sent."""

    connection: Connection
    function: str
    root: Path
    base: str
    known: dict[str, bytes]

    @classmethod
    def begin(cls, connection: Connection, function: str, root: Path) -> "Swapper":
        """`MayflyError` when its code cannot be swapped."""
        base = connection.get(f"{PAGE}/{quote(function, safe='')}")["base"]
        return cls(connection, function, root, base, {name: b"" for name, _ in files([Part(root)])})

    def swap(self, changed: Iterable[Path]) -> list[str]:
        """Have the next call run these files as they are now; their names, or an empty list if none is of the package.

        `RefusedError`, with status 409 when it does not run on what it did: deploy it again.
        """
        present: dict[str, Content] = {}
        removed: list[str] = []
        for path in sorted(set(changed)):
            name = name_in_package(path, self.root)
            if name is None or path.is_dir():
                continue
            if (content := Content.of(path)) is None:
                if name in self.known:  # and not something that came and went
                    removed.append(name)
            elif content.digest != self.known.get(name):
                present[name] = content
        if not present and not removed:
            return []
        archive = base64.b64encode(archived(present)).decode() if present else ""
        self.base = self._post({"base": self.base, "removed": removed, "archive": archive})["base"]
        self.known.update((name, content.digest) for name, content in present.items())
        for name in removed:
            del self.known[name]
        return [*present, *removed]

    def end(self) -> None:
        """Have it run what is deployed."""
        self.connection.send("DELETE", f"{PAGE}/{quote(self.function, safe='')}")

    def _post(self, change: dict[str, Any]) -> Any:
        path = f"{PAGE}/{quote(self.function, safe='')}"
        with self.connection.open("POST", path, json.dumps(change).encode(), timeout_s=60) as reply:
            return self.connection.read(reply)
