"""Layers made of this machine's own programs: a shell, a Python with the published runtime interface client.

Files keep the paths that they have here, so that what is in them that names paths holds.
"""

import json
import os
import subprocess
import tarfile
from importlib import metadata
from pathlib import Path

from mayfly.sandbox import interpreters
from tests.images.builder import Layer, entry, layer

Entries = list[tarfile.TarInfo | tuple[str | tarfile.TarInfo, bytes]]
_LEFT_OUT = frozenset({"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages"})
_LEFT_OUT_TOO = frozenset({"dist-packages", "__pycache__", "pydoc_data", "unittest", "config-3.11-x86_64-linux-gnu"})


def shell() -> Layer:
    """/bin/sh with what it needs."""
    return layer(*program(Path("/bin/sh"), "/bin/sh"))


def program(path: Path, place: str) -> Entries:
    """An executable at `place`, and its libraries."""
    return [*files({place: path, **libraries(path)})]


def libraries(*programs: Path) -> dict[str, Path]:
    """Shared libraries that `programs` are linked with, by the paths at which they are looked for."""
    found: dict[str, Path] = {}
    for each in programs:
        said = subprocess.run(["ldd", str(each)], capture_output=True, text=True, timeout=60).stdout
        for line in said.splitlines():
            words = line.split()
            path = words[2] if "=>" in words and len(words) > 2 else words[0] if words else ""
            if path.startswith("/"):
                found[path] = Path(path)
    return found


def files(named: dict[str, Path]) -> Entries:
    """Files by their places in an image."""
    made: Entries = []
    for place, path in sorted(named.items()):
        mode = 0o755 if os.access(path, os.X_OK) else 0o644
        made.append((entry(place.lstrip("/"), mode=mode), path.read_bytes()))
    return made


def python() -> tuple[Layer, str]:
    """The running interpreter with its standard library; the path of its executable."""
    found = interpreters.current()
    asked = "import json, sys, sysconfig; print(json.dumps([sysconfig.get_path('stdlib'), sys.prefix]))"
    said = subprocess.run([str(found.path), "-I", "-c", asked], check=True, capture_output=True, text=True, timeout=60)
    stdlib = Path(json.loads(said.stdout)[0])
    named = {str(found.path): found.path, **libraries(found.path)}
    for path in _modules(stdlib):
        named[str(path)] = path
        if path.suffix == ".so":
            named.update(libraries(path))
    return layer(*files(named)), str(found.path)


def _modules(top: Path) -> list[Path]:
    kept = []
    for directory, names, plain in os.walk(top):
        names[:] = [name for name in names if name not in _LEFT_OUT | _LEFT_OUT_TOO]
        kept += [Path(directory, name) for name in plain if name.endswith((".py", ".so"))]
    return kept


def awslambdaric(place: str) -> Layer:
    """The client of the Runtime API that AWS publishes for Python, with what it needs."""
    named: dict[str, Path] = {}
    for distribution in ("awslambdaric", "simplejson", "snapshot-restore-py"):
        for file in metadata.files(distribution) or ():
            path = Path(str(file.locate()))
            if path.is_file() and path.suffix in (".py", ".so") and ".." not in file.parts:
                named[f"{place}/{file}"] = path
                if path.suffix == ".so":
                    named.update(libraries(path))
    return layer(*files(named))
