"""The JDKs of this machine, found by the `release` file that each of them has: none is started.

The composition root asks once at start; `doctor` shows what was found. Functions see those that are among the
machine's programs (/usr and the like), so no others count.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from mayfly.sandbox.agent.root import SYSTEM
from mayfly.sandbox.api import Interpreter

OLDEST = 11
_VERSION = re.compile(r'^JAVA_VERSION="(\d+)(?:\.(\d+))?(?:\.(\d+))?', re.MULTILINE)
_PLACES = ("/usr/lib/jvm", "/usr/lib64/jvm", "/usr/java", "/usr/local/lib/jvm")


def find(
    path: str, java_home: str = "", places: Iterable[str] = _PLACES, system: Iterable[str] = SYSTEM
) -> tuple[Interpreter, ...]:
    """All that can serve, newest first, one a major version: that of `java_home` (as in $JAVA_HOME), those of `path`
    (as in $PATH), and of the system. Those without a compiler cannot."""
    homes: dict[Path, None] = {}
    for candidate in _candidates(f"{java_home}/bin:{path}" if java_home else path, places):
        try:
            homes.setdefault(candidate.resolve(strict=True).parent.parent)
        except (OSError, RuntimeError):
            continue
    seen = [home for home in homes if any(home.is_relative_to(f"/{name}") for name in system)]
    able = [one for one in map(probe, seen) if one is not None]
    found: dict[int, Interpreter] = {}
    for one in able:
        found.setdefault(one.version[0], one)
    return tuple(sorted(found.values(), key=lambda one: one.version, reverse=True))


def probe(home: Path) -> Interpreter | None:
    """What is installed at `home`; None when it is no Java that can serve."""
    try:
        said = _VERSION.search((home / "release").read_text(errors="replace"))
    except OSError:
        return None
    programs = [home / "bin" / name for name in ("java", "javac")]
    if said is None or int(said[1]) < OLDEST or not all(program.is_file() for program in programs):
        return None
    version = (int(said[1]), int(said[2] or 0), int(said[3] or 0))
    return Interpreter(version, programs[0], home, "java")


def _candidates(path: str, places: Iterable[str]) -> Iterable[Path]:
    for entry in path.split(":"):
        if entry.startswith("/"):
            yield Path(entry) / "java"
    for place in places:
        yield from sorted(Path(place).glob("*/bin/java"), reverse=True)
