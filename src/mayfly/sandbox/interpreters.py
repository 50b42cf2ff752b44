"""The Pythons of this machine. Which of them serves a runtime identifier such as `python3.12`, `choice` says.

The composition root asks once at start; `doctor` shows what was found. Only standard CPython installations count: a
virtual environment or a shim is resolved to the installation behind it.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from mayfly.sandbox.api import Interpreter

OLDEST = (3, 10)  # that the boto3 of /var/runtime runs on: functions for older ones are served by a newer one
_PROBE = "import sys, json; print(json.dumps([list(sys.version_info[:3]), sys.base_prefix, sys.implementation.name]))"
_PROBE_TIMEOUT_S = 10.0
_NAME = re.compile(r"python3(\.\d+)?$")


def find(path: str, home: Path, ask: Callable[[Path], Interpreter | None] | None = None) -> tuple[Interpreter, ...]:
    """All usable interpreters, newest first, one a minor version: the running one, those of `path` (as in $PATH), of
    pyenv and uv below `home`, and of /usr/bin. Starts each found executable once, by `ask` where that is given; takes
    some 20 ms for each."""
    found: dict[tuple[int, int], Interpreter] = {}
    own = current()
    found[own.version[:2]] = own
    seen = {own.path}
    for candidate in _candidates(path, home):
        try:
            real = candidate.resolve(strict=True)
        except (OSError, RuntimeError):
            continue
        if real in seen:
            continue
        seen.add(real)
        interpreter = (ask or probe)(real)
        if interpreter is not None:
            found.setdefault(interpreter.version[:2], interpreter)
    return tuple(sorted(found.values(), key=lambda one: one.version, reverse=True))


def current() -> Interpreter:
    """The installation behind the running Python, outside of any virtual environment."""
    major, minor, micro = sys.version_info[:3]
    prefix = Path(sys.base_prefix).resolve()
    for name in (f"python{major}.{minor}", f"python{major}", "python"):
        executable = prefix / "bin" / name
        if executable.exists():
            return Interpreter((major, minor, micro), executable.resolve(), prefix)
    return Interpreter((major, minor, micro), Path(sys.executable).resolve(), prefix)


def _candidates(path: str, home: Path) -> Iterable[Path]:
    directories = [
        *sorted(home.glob(".pyenv/versions/3.*/bin"), reverse=True),
        *sorted(home.glob(".local/share/uv/python/cpython-3.*/bin"), reverse=True),
        *(Path(entry) for entry in path.split(":") if entry.startswith("/")),
        *(Path(entry) for entry in ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")),
    ]
    for directory in dict.fromkeys(directories):
        if "shims" in directory.parts:
            continue
        try:
            yield from sorted(entry for entry in directory.iterdir() if _NAME.fullmatch(entry.name))
        except OSError:
            continue


def probe(executable: Path) -> Interpreter | None:
    """Ask an executable what it is; None when it is no CPython that can serve."""
    try:
        answer = subprocess.run(
            [str(executable), "-I", "-S", "-c", _PROBE],
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        version, prefix, implementation = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    major, minor, micro = version
    if implementation != "cpython" or (major, minor) < OLDEST:
        return None
    return Interpreter((major, minor, micro), executable, Path(prefix).resolve())
