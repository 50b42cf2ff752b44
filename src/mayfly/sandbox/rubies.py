"""The Rubies of this machine. Which of them serves a runtime identifier such as `ruby3.4`, `choice` says.

The composition root asks once at start; `doctor` shows what was found. A shim of a version manager is not used: what it
stands for is found where the manager keeps it.
"""

import json
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mayfly.sandbox.api import Interpreter

OLDEST = (3, 0)
# The bootstrap is shown to functions like a layer, so that it is seen wherever Mayfly itself is installed.
LAYER = Path(__file__).resolve().parent / "ruby" / "opt"
BOOTSTRAP, INSIDE = LAYER / "mayfly-ruby" / "bootstrap.rb", "/opt/mayfly-ruby/bootstrap.rb"
_PROBE = (
    "require 'json'; require 'rbconfig';"
    " puts JSON.generate([RUBY_VERSION, RbConfig.ruby, RbConfig::CONFIG['prefix'], RUBY_ENGINE])"
)
_PROBE_TIMEOUT_S = 10.0
_PROBES_AT_ONCE = 4
_MANAGERS = (
    ".rbenv/versions/*/bin/ruby",
    ".rubies/*/bin/ruby",
    ".rvm/rubies/ruby-*/bin/ruby",
    ".asdf/installs/ruby/*/bin/ruby",
    ".local/share/mise/installs/ruby/*/bin/ruby",
)


def find(path: str, home: Path, ask: Callable[[Path], Interpreter | None] | None = None) -> tuple[Interpreter, ...]:
    """All usable installations, newest first, one a minor version: those of `path` (as in $PATH), of version managers
    below `home`, and of the system. Starts each once, by `ask`
    where that is given."""
    real: dict[Path, None] = {}
    for candidate in _candidates(path, home):
        try:
            real.setdefault(candidate.resolve(strict=True))
        except (OSError, RuntimeError):
            continue
    with ThreadPoolExecutor(_PROBES_AT_ONCE) as threads:
        probed = list(threads.map((ask or probe), real))
    found: dict[tuple[int, int], Interpreter] = {}
    for one in sorted(filter(None, probed), key=lambda one: one.version, reverse=True):
        found.setdefault(one.version[:2], one)
    return tuple(found.values())


def probe(executable: Path) -> Interpreter | None:
    """Ask an executable what it is; None when it is no Ruby that can serve."""
    try:
        answer = subprocess.run(
            [str(executable), "-e", _PROBE],
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        )
        version, path, prefix, engine = json.loads(answer.stdout)
        major, minor, patch = map(int, version.split("."))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if engine != "ruby" or (major, minor) < OLDEST:
        return None
    return Interpreter((major, minor, patch), Path(path).resolve(), Path(prefix).resolve(), "ruby")


def command(interpreter: Interpreter) -> tuple[str, ...]:
    """How a function's process is started, where it sees what this process sees."""
    return str(interpreter.path), str(BOOTSTRAP)


def inside(command: tuple[str, ...]) -> tuple[str, ...]:
    """The same where it sees the bootstrap in a file system of its own."""
    return tuple(INSIDE if part == str(BOOTSTRAP) else part for part in command)


def shown(interpreter: Interpreter) -> tuple[Path, ...]:
    """What of the machine must be seen inside for that, at its own path."""
    return (interpreter.prefix,)


def _candidates(path: str, home: Path) -> Iterable[Path]:
    for entry in path.split(":"):
        if entry.startswith("/") and "shims" not in entry:
            yield Path(entry) / "ruby"
    for pattern in _MANAGERS:
        yield from sorted(home.glob(pattern), reverse=True)
    for directory in ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"):
        yield Path(directory) / "ruby"
