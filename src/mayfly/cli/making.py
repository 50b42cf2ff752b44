"""Packages that a program makes: `make`, by a Makefile of the function's, or `go build`.

Both are this machine's. `make` runs in a copy of the folder, as `sam build` has it; Go builds where the code is.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mayfly.cli.keeping import Kept
from mayfly.errors import CallerError

MAKEFILE = "Makefile"
LEFT_OUT = (".git", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".aws-sam", ".mayfly")
_GO_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


class MakingError(CallerError):
    """The program is not there, or fails; the message has what it said."""


@dataclass(frozen=True, slots=True)
class Making:
    """How a package is made."""

    program: str  # make or go
    target: str  # of a Makefile; of Go, the name of the file that is run
    context: Path | None = None  # where the Makefile lies, if not in the source
    folder: Path | None = None  # where make runs, if not in the copy of the source
    architecture: str = "x86_64"


@dataclass(frozen=True)
class Maker:
    """`kept` is where it is, `report` is told what takes long."""

    kept: Kept
    report: Callable[[str], None]

    @contextmanager
    def made(self, source: Path, making: Making) -> Iterator[Path]:
        """The folder with what is made of the folder `source`, as long as the context lasts; `MakingError`."""
        if making.program != "go":
            yield self._make(source, making)
            return
        with tempfile.TemporaryDirectory(prefix="mayfly-go-") as directory:  # Go has a cache of its own
            self._go(source, making, Path(directory) / making.target)
            yield Path(directory)

    def _make(self, source: Path, making: Making) -> Path:
        makefile = (making.context or source) / MAKEFILE
        if not makefile.is_file():
            raise MakingError(f"{source} is to be built by {makefile}, which is not there")
        folder = making.folder or source
        outside = folder != source and source not in folder.parents

        def make(draft: Path) -> None:
            self.report(f"running make {making.target}")
            with tempfile.TemporaryDirectory(prefix=f"{draft.name}.", dir=draft.parent) as directory:
                work, artifacts = Path(directory) / "source", Path(directory) / "artifacts"
                shutil.copytree(source, work, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
                artifacts.mkdir()
                where = folder if outside else work / folder.relative_to(source)
                own = source == makefile.parent or source in makefile.parents
                file = work / makefile.relative_to(source) if own else makefile
                command = ["make", "--no-print-directory", "--makefile", str(file), making.target]
                done = _run(command, where, {"ARTIFACTS_DIR": str(artifacts)})
                if done.returncode != 0:
                    said = (done.stderr + done.stdout).strip()
                    raise MakingError(f"make {making.target} failed in {source}:\n{said}")
                if not any(artifacts.iterdir()):
                    raise MakingError(f"make {making.target} left nothing in $ARTIFACTS_DIR")
                artifacts.rename(draft)

        key = _digest(source, making.target, makefile.read_bytes(), _digest(folder) if outside else "")
        return self.kept.folder("makefiles", key, make)

    def _go(self, source: Path, making: Making, program: Path) -> None:
        self.report("running go build")
        variables = {"GOOS": "linux", "GOARCH": _GO_ARCHITECTURES[making.architecture]}
        done = _run(["go", "build", "-o", str(program), "."], source, variables)
        if done.returncode != 0:
            raise MakingError(f"go build failed in {source}:\n{(done.stderr + done.stdout).strip()}")


def _run(command: Sequence[str], folder: Path, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise MakingError(f"{command[0]}, which is to build {folder}, was not found on this machine") from error


def _digest(source: Path, *more: str | bytes) -> str:
    """Of all names, modes and contents below a folder, and of what else counts."""
    digest = hashlib.sha256()
    for one in more:
        digest.update((one.encode() if isinstance(one, str) else one) + b"\0")
    for folder, names, present in os.walk(source):
        names[:] = sorted(name for name in names if name not in LEFT_OUT)
        for file in sorted(present):
            path = Path(folder) / file
            if path.is_file():
                with path.open("rb") as opened:
                    content = hashlib.file_digest(opened, "sha256").hexdigest()
                mode = path.stat().st_mode & 0o111
                digest.update(f"{path.relative_to(source)}\0{mode:o}\0{content}\n".encode())
    return digest.hexdigest()[:32]
