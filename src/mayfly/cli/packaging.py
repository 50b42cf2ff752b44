"""From a folder beside a template to the zip that a function, or a layer, is made of.

The zip is deterministic (sorted names, fixed dates, no caches): the same source gives the same bytes, so that a
deployment which changes nothing is seen as such. What the code depends on lies beside it (`dependencies`), or is
bundled with it (`bundling`); where a program makes the package, what that leaves is the package (`making`). Zips are
kept in a cache, by what is in them.
"""

import hashlib
import io
import os
import stat
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from mayfly.cli.bundles import Bundle
from mayfly.cli.bundling import Bundler
from mayfly.cli.dependencies import NODE_MODULES, Architecture, Installer
from mayfly.cli.keeping import Kept
from mayfly.cli.making import Maker, Making
from mayfly.errors import CallerError

EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date that a zip can hold
SKIPPED_FOLDERS = frozenset(
    (".git", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".aws-sam", ".mayfly")
)
_LARGEST = 3
_CHUNK = 1 << 20

Report = Callable[[str], None]


class PackagingError(CallerError):
    """The code cannot be packaged; the message says what to mend."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make a package of."""

    source: Path  # a folder, a file that is a package already, or one that is all there is of the code
    runtime: str = ""  # that dependencies are for, such as python3.12; of a layer, the one it is built for
    architecture: Architecture = "x86_64"
    below: str = ""  # the folder in the zip that all of it goes to
    dependencies_below: str = ""  # the same of what it depends on alone
    making: Making | None = None  # a program that makes the package
    bundle: Bundle | None = None  # what esbuild is to make of it
    top: Path | None = None  # up to which folder package.json is looked for; None: the source alone
    finished: bool = False  # it was built before: nothing is installed
    manifest: Path | None = None  # what it depends on; None: what lies in `source` says so

    @property
    def maker(self) -> str:
        """What makes the package of the folder; empty: it is the folder, with what it depends on."""
        return "esbuild" if self.bundle is not None else self.making.program if self.making is not None else ""


class Part(NamedTuple):
    """A folder, or a file, that goes into a package, and where it goes to."""

    root: Path
    below: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """A zip, and what it was made of."""

    path: Path
    largest: tuple[tuple[str, int], ...] = ()  # of what it depends on, by the bytes of the files
    warnings: tuple[str, ...] = ()
    handler: str = ""  # of what esbuild made


@dataclass(frozen=True)
class Packager:
    """Makes packages; `kept` is where they are, `report` is told what takes long."""

    kept: Kept
    installer: Installer
    report: Report

    def package(self, wanted: Wanted) -> Package:
        """The package; `PackagingError`, `DependencyError`, `EsbuildError`, `MakingError`."""
        if wanted.source.is_file():
            package = zipfile.is_zipfile(wanted.source)
            return Package(wanted.source if package else self._zipped([Part(wanted.source, wanted.below)]))
        if not wanted.source.is_dir():
            raise PackagingError(f"{wanted.source} does not exist")
        if wanted.making is not None:
            with Maker(self.kept, self.report).made(wanted.source, wanted.making) as root:
                return Package(self._zipped([Part(root, wanted.below)]))
        if wanted.bundle is not None:
            return self._bundled(wanted, wanted.bundle)
        own = Part(wanted.source, wanted.below)
        installed = None
        if not wanted.finished:
            installed = self.installer.install(wanted.source, wanted.runtime, wanted.architecture, wanted.manifest)
        if installed is None:
            return Package(self._zipped([own]))
        dependencies = Part(installed.root, _joined(wanted.below, wanted.dependencies_below))
        return Package(self._zipped([dependencies, own]), _largest(dependencies), installed.warnings)

    def _bundled(self, wanted: Wanted, bundle: Bundle) -> Package:
        bundler = Bundler(self.installer)
        top = wanted.top or wanted.source
        with bundler.built(wanted.source, top, bundle, wanted.runtime, wanted.architecture) as built:
            beside = [Part(folder, _joined(wanted.below, place)) for folder, place in built.beside]
            archive = self._zipped([*beside, Part(built.root, wanted.below)])
        return Package(archive, built.largest[:_LARGEST], built.warnings, built.handler)

    def _zipped(self, parts: Sequence[Part]) -> Path:
        target = self.kept.root / "packages" / f"{_fingerprint(parts)}.zip"
        if not target.exists():
            self.report("compressing")
            _write_zip(parts, target)
        return target


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files(parts: Sequence[Part]) -> Iterator[tuple[str, Path]]:
    """Names in the zip and the files they come from, sorted; a later part wins over an earlier one."""
    found: dict[str, Path] = {}
    for root, below in parts:
        if root.is_file():
            found[_joined(below, root.name)] = root
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
        own_file = own in (path, *path.parents)
        content = file_digest(path) if own_file else f"{path.parent}{facts.st_size} {facts.st_mtime_ns}"
        digest.update(f"{name}\0{facts.st_mode & 0o111:o}\0{content}\n".encode())
    return digest.hexdigest()[:32]


def _largest(dependencies: Part) -> tuple[tuple[str, int], ...]:
    """The dependencies with the most bytes, by the folder or module that they are."""
    sizes: Counter[str] = Counter()
    for name, path in files([Part(dependencies.root)]):
        parts = name.split("/")
        if parts[0] == NODE_MODULES:
            parts = parts[1:]
        first = "/".join(parts[:2]) if parts[0].startswith("@") else parts[0]
        if not first.endswith(".dist-info"):
            sizes[first.removesuffix(".libs")] += path.stat().st_size
    return tuple(sizes.most_common(_LARGEST))


def _write_zip(parts: Sequence[Part], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}.tmp")
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
