"""Compiling the launcher for a JDK, once, and the command that runs a function with it.

The launcher is a program at the Runtime API. What it was compiled to is shown to functions like a layer, so it is
there at every level of isolation.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from mayfly.sandbox.api import Interpreter, SandboxUnavailableError

DIRECTORY = ".mayfly-java"  # of the classes, in what is shown as a layer
LAYERS = "/opt"
_SOURCES = Path(__file__).parent
_COMPILE_TIMEOUT_S = 120.0
_RELEASE = "11"  # the oldest that there is a runtime for: see `jdks.OLDEST`
# A function's heap, and what the machine needs beside it: its own code, classes, threads.
_LEAST_BESIDE_MB, _SHARE_BESIDE, _LEAST_SHARE_OF_HEAP = 64, 0.15, 0.5
# Flags, and what in a function's JAVA_TOOL_OPTIONS stands for a choice of its own.
_FLAGS = (
    ("-XX:+UseSerialGC", re.compile(r"-XX:[+-]Use\w*GC")),
    ("-XX:TieredStopAtLevel=1", re.compile(r"-XX:(TieredStopAtLevel|[+-]TieredCompilation)")),
    ("-Xshare:auto", re.compile(r"-Xshare:")),
)
_HEAP = re.compile(r"-Xmx|-XX:(MaxHeapSize|MaxRAMPercentage|MaxRAM)\b")


def place(directory: Path, jdk: Interpreter) -> Path:
    """Where, below `directory`, the launcher is that this JDK compiled; another launcher has another place."""
    digest = sha256()
    for source in _sources():
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return directory / "launchers" / f"java{'.'.join(map(str, jdk.version))}-{digest.hexdigest()[:16]}"


def compiled(jdk: Interpreter, at: Path) -> None:
    """Have the launcher at `at`, complete or not at all; `SandboxUnavailableError`."""
    if at.is_dir():
        return
    at.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=at.parent))
    try:
        done = subprocess.run(
            [
                *(str(jdk.prefix / "bin" / "javac"), "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1"),
                *("-encoding", "UTF-8", "-proc:none", "-Xlint:-options", "--release", _RELEASE),
                *("-d", str(draft / DIRECTORY), *map(str, _sources())),
            ],
            capture_output=True,
            text=True,
            timeout=_COMPILE_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()[-500:]
            raise SandboxUnavailableError(f"the launcher of Java cannot be compiled with {jdk.prefix}: {said}")
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        try:
            draft.rename(at)
        except OSError:
            if not at.is_dir():  # else somebody was faster
                raise
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxUnavailableError(f"the launcher of Java cannot be compiled: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def command(java: Path, memory_mb: int, task_root: str, launcher: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    """What runs a function whose sandbox sees its code at `task_root`, and the launcher's classes at `launcher`."""
    own = variables.get("JAVA_TOOL_OPTIONS", "")
    flags = [flag for flag, chosen in _FLAGS if not chosen.search(own)]
    if not _HEAP.search(own):
        flags.append(f"-Xmx{heap_mb(memory_mb)}m")
    classes = f"{launcher}:{task_root}:{task_root}/lib/*:{LAYERS}/java/lib/*"
    return (str(java), *flags, "-cp", classes, "mayfly.Launcher")


def heap_mb(memory_mb: int) -> int:
    """The most that a function's objects may take."""
    beside = max(_LEAST_BESIDE_MB, int(memory_mb * _SHARE_BESIDE))
    return max(memory_mb - beside, int(memory_mb * _LEAST_SHARE_OF_HEAP))


def _sources() -> list[Path]:
    return sorted(_SOURCES.glob("*.java"))
