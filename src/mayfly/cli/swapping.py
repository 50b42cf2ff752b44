"""One function whose files change: what changed of its folder is sent, and its next call runs it. `mayfly dev` asks."""

import base64
import io
import json
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mayfly.cli.connection import Connection
from mayfly.cli.packaging import EPOCH, SKIPPED_FOLDERS

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


def archived(files: Iterable[tuple[str, Path]]) -> bytes:
    """A zip of files under the names that they have in a package. Not compressed: it goes to this machine, or near."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, EPOCH)
            mode = 0o755 if path.stat().st_mode & 0o111 else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


@dataclass
class Swapper:
    """Of one function; `base` is what it runs on, as the server calls it."""

    connection: Connection
    function: str
    root: Path
    base: str

    @classmethod
    def begin(cls, connection: Connection, function: str, root: Path) -> "Swapper":
        """`MayflyError` when its code cannot be swapped."""
        return cls(connection, function, root, connection.get(f"{PAGE}/{quote(function, safe='')}")["base"])

    def swap(self, changed: Iterable[Path]) -> list[str]:
        """Have the next call run these files as they are now; their names, or an empty list if none is of the package.

        `RefusedError`, with status 409 when it does not run on what it did: deploy it again.
        """
        present: list[tuple[str, Path]] = []
        removed: list[str] = []
        for path in sorted(set(changed)):
            name = name_in_package(path, self.root)
            if name is None or path.is_dir():
                continue
            if path.is_file():
                present.append((name, path))
            else:
                removed.append(name)
        if not present and not removed:
            return []
        change = {"base": self.base, "removed": removed, "archive": _base64(archived(present)) if present else ""}
        self.base = self._post(change)["base"]
        return [*(name for name, _ in present), *removed]

    def end(self) -> None:
        """Have it run what is deployed."""
        self.connection.send("DELETE", f"{PAGE}/{quote(self.function, safe='')}")

    def _post(self, change: dict[str, Any]) -> Any:
        path = f"{PAGE}/{quote(self.function, safe='')}"
        with self.connection.open("POST", path, json.dumps(change).encode(), timeout_s=60) as reply:
            return json.load(reply)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
