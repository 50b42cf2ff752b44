"""From a folder beside a template to the zip that a function, or a layer, is made of.

The zip is deterministic (sorted names, fixed dates, no caches): the same source gives the same bytes, so that a
deployment which changes nothing is seen as such. What the code depends on lies beside it (`dependencies`); where a
Makefile says how the package is made, what that leaves is the package. Zips are kept in a cache, by what is in them.
"""

import hashlib
import io
import os
import shutil
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from mayfly.cli.dependencies import Architecture, Installer
from mayfly.errors import CallerError

EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date that a zip can hold
SKIPPED_FOLDERS = frozenset(
    (".git", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".aws-sam", ".mayfly")
)
MAKEFILE = "Makefile"
_CHUNK = 1 << 20

Report = Callable[[str], None]


class PackagingError(CallerError):
    """The code cannot be packaged; the message says what to mend."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make a package of."""

    source: Path  # a folder, or a file that is a package already
    runtime: str = ""  # that dependencies are for, such as python3.12; of a layer, the one it is built for
    architecture: Architecture = "x86_64"
    below: str = ""  # the folder in the zip that all of it goes to
    dependencies_below: str = ""  # the same of what it depends on alone
    target: str = ""  # of a Makefile in the folder: what makes the package


class Part(NamedTuple):
    """A folder that goes into a package, and where it goes to."""

    root: Path
    below: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """A zip, and what it was made of."""

    path: Path
    dependencies: Part | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Packager:
    """Makes packages; `cache` is where they are kept, `report` is told what takes long."""

    cache: Path
    installer: Installer
    report: Report

    def package(self, wanted: Wanted) -> Package:
        """The package; `PackagingError`, `DependencyError`."""
        if wanted.source.is_file():
            if not zipfile.is_zipfile(wanted.source):
                raise PackagingError(f"{wanted.source} is neither a folder nor a zip file")
            return Package(wanted.source)
        if not wanted.source.is_dir():
            raise PackagingError(f"{wanted.source} does not exist")
        if wanted.target:
            return Package(self._zipped([Part(self._made(wanted), wanted.below)]))
        installed = self.installer.install(wanted.source, wanted.runtime, wanted.architecture)
        own = Part(wanted.source, wanted.below)
        if installed is None:
            return Package(self._zipped([own]))
        dependencies = Part(installed.root, _joined(wanted.below, wanted.dependencies_below))
        return Package(self._zipped([dependencies, own]), dependencies, installed.warnings)

    def _zipped(self, parts: Sequence[Part]) -> Path:
        target = self.cache / "packages" / f"{_fingerprint(parts)}.zip"
        if not target.exists():
            self.report("compressing")
            _write_zip(parts, target)
        return target

    def _made(self, wanted: Wanted) -> Path:
        """What `make` leaves in ARTIFACTS_DIR: it runs in a copy of the folder, as SAM has it."""
        if not (wanted.source / MAKEFILE).is_file():
            raise PackagingError(f"{wanted.source} is to be built by its {MAKEFILE}, and has none")
        target = self.cache / "makefiles" / _fingerprint([Part(wanted.source, wanted.target)])
        if target.is_dir():
            return target
        self.report(f"running make {wanted.target}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{target.name}.", dir=target.parent) as directory:
            work, artifacts = Path(directory) / "source", Path(directory) / "artifacts"
            shutil.copytree(wanted.source, work, symlinks=True, ignore=shutil.ignore_patterns(*SKIPPED_FOLDERS))
            artifacts.mkdir()
            done = subprocess.run(
                ["make", "--no-print-directory", wanted.target],  # noqa: S607  # of this machine, whichever it is
                cwd=work,
                env={**os.environ, "ARTIFACTS_DIR": str(artifacts)},
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode != 0:
                said = (done.stderr + done.stdout).strip()
                raise PackagingError(f"make {wanted.target} failed in {wanted.source}:\n{said}")
            if not any(artifacts.iterdir()):
                raise PackagingError(f"make {wanted.target} left nothing in $ARTIFACTS_DIR")
            if not target.is_dir():  # or somebody else was faster
                artifacts.rename(target)
        return target


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files(parts: Sequence[Part]) -> Iterator[tuple[str, Path]]:
    """Names in the zip and the files they come from, sorted; a later part wins over an earlier one."""
    found: dict[str, Path] = {}
    for root, below in parts:
        for folder, names, present in os.walk(root):
            names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS)
            for file in present:
                path = Path(folder) / file
                if path.suffix != ".pyc" and path.is_file():
                    found[_joined(below, path.relative_to(root).as_posix())] = path
    yield from sorted(found.items())


def _joined(below: str, name: str) -> str:
    return f"{below}/{name}" if below and name else below or name


def _fingerprint(parts: Sequence[Part]) -> str:
    """A digest of all names, modes and contents; installed distributions count by name and size, being immutable."""
    digest = hashlib.sha256(parts[-1].below.encode())
    own = parts[-1].root
    for name, path in files(parts):
        facts = path.stat()
        content = file_digest(path) if own in path.parents else f"{path.parent}{facts.st_size}"
        digest.update(f"{name}\0{facts.st_mode & 0o111:o}\0{content}\n".encode())
    return digest.hexdigest()[:32]


def _write_zip(parts: Sequence[Part], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in files(parts):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if path.stat().st_mode & 0o111 else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=path.stat().st_size > 1 << 30) as sink:
                _copy(source, sink)
    draft.replace(target)


def _copy(source: io.BufferedReader, sink: IO[bytes]) -> None:
    while chunk := source.read(_CHUNK):
        sink.write(chunk)
