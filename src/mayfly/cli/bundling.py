"""From a folder with TypeScript or JavaScript to what a function runs: one file an entry point, made by esbuild.

Bundled is in the folder itself where everything that its package.json depends on can be found from there, as Node.js
looks for it, so that links, workspaces and files outside of the folder work. Otherwise the dependencies are installed
into a cache, and bundled is in a copy beside them, so that the same source gives the same bytes wherever it lies.
"""

import fnmatch
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mayfly.cli.bundles import EVERY_DEPENDENCY, Bundle, handler_in
from mayfly.cli.dependencies import NODE_MODULES, PACKAGE, Architecture, DependencyError, Installer, dependencies_in
from mayfly.cli.esbuild import EsbuildError, Finder

_SUFFIXES = (".ts", ".js", ".mts", ".cts", ".tsx", ".jsx", ".mjs", ".cjs")  # in this order, where none is told
_LEFT_OUT = (NODE_MODULES, ".git", ".aws-sam", ".mayfly", ".venv", "__pycache__")
_OF_THE_RUNTIME = ("@aws-sdk/*", "@smithy/*")  # which AWS has in its runtimes
_METAFILE, _OUT = "metafile.json", ".mayfly-bundle"


@dataclass(frozen=True, slots=True)
class Built:
    """`root` holds what esbuild wrote."""

    root: Path
    handler: str  # that leads to it
    beside: tuple[
        tuple[Path, str], ...
    ]  # folders of modules that are not bundled, and where they belong in the package
    largest: tuple[tuple[str, int], ...]  # npm packages in it, by the bytes that they take; the largest first
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Bundler:
    """`installer` has what package.json depends on."""

    installer: Installer

    @contextmanager
    def built(
        self, source: Path, top: Path, bundle: Bundle, runtime: str, architecture: Architecture
    ) -> Iterator[Built]:
        """What is made of the folder `source`, as long as the context lasts; package.json is looked for up to the
        folder `top`. `EsbuildError`, `DependencyError`."""
        project = project_of(source, top)
        names = dependencies_in(project / PACKAGE) if (project / PACKAGE).is_file() else {}
        warnings: tuple[str, ...] = ()
        installed: Path | None = None
        if not all(_found(source, name) for name in names):
            made = self.installer.node_modules(project, runtime, architecture, strict=bundle.npm_ci)
            installed, warnings = made.root, made.warnings
        external = [*bundle.external, *(names if EVERY_DEPENDENCY in bundle.external else ())]
        finder = Finder(self.installer.kept, self.installer.runtimes, self.installer.report)
        esbuild = finder.find(source, project, installed)
        with tempfile.TemporaryDirectory(prefix="mayfly-bundle-") as directory:
            work, out = source, Path(directory) / _OUT
            if installed is not None:
                copy = Path(directory) / "source"
                work, out = _copied(project, source, installed, copy), copy / _OUT
            arguments = [
                *_entries(work, source, bundle.entry_points),
                *("--bundle", "--platform=node", f"--outdir={out}", f"--metafile={Path(directory) / _METAFILE}"),
                *(("--preserve-symlinks",) if installed is not None else ()),
                *bundle.options,
                *(f"--external:{name}" for name in external),
            ]
            finder.report("bundling")
            said = esbuild.run(arguments, work, str(source))
            _relocate(out, work)
            outputs = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
            apart = _apart(external, names) if bundle.beside else []
            yield Built(
                out,
                handler_in(outputs, bundle.handler),
                tuple(_closure(installed or source, apart)),
                _largest(Path(directory) / _METAFILE),
                (*warnings, *((said,) if said else ())),
            )


def is_source(path: Path, project: Path) -> bool:
    """Whether a file of a project may be one that is bundled, although it is not of the function's folder."""
    try:
        parts = path.relative_to(project).parts
    except ValueError:
        return False
    return path.suffix in (*_SUFFIXES, ".json") and not any(part in _LEFT_OUT for part in parts)


def project_of(source: Path, top: Path) -> Path:
    """The folder of the nearest package.json, up to `top`; without one, `source`."""
    for folder in (source, *source.parents):
        if (folder / PACKAGE).is_file():
            return folder
        if folder == top or top not in folder.parents:
            break
    return source


def _found(source: Path, name: str) -> Path | None:
    """Where Node.js finds a package that code in `source` asks for."""
    for folder in (source, *source.parents):
        place = folder / NODE_MODULES / name
        if (place / PACKAGE).is_file():
            return place
    return None


def _copied(project: Path, source: Path, installed: Path, target: Path) -> Path:
    """`source` in a copy of its project that has what was installed; only what is above it is left out."""
    ignored = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(project, target, ignore=ignored, ignore_dangling_symlinks=True)
    if (installed / NODE_MODULES).is_dir():
        (target / NODE_MODULES).symlink_to(installed / NODE_MODULES)
    return target / source.relative_to(project)


def _relocate(out: Path, work: Path) -> None:
    """Have source maps name their sources by where they lie seen from the function's folder."""
    for path in out.rglob("*.map"):
        told = json.loads(path.read_text(encoding="utf-8"))
        up = os.path.relpath(out, path.parent)
        told["sources"] = [
            os.path.normpath(os.path.join(up, os.path.relpath(path.parent / one, work))) for one in told["sources"]
        ]
        path.write_text(json.dumps(told, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def _entries(work: Path, source: Path, points: Sequence[str]) -> Iterator[str]:
    """The files that the entry points mean."""
    for point in points:
        found = next((f"{point}{suffix}" for suffix in ("", *_SUFFIXES) if (work / f"{point}{suffix}").is_file()), None)
        if found is None:
            tried = point if Path(point).suffix in _SUFFIXES else f"{point} with {', '.join(_SUFFIXES)}"
            raise EsbuildError(f"there is no entry point {tried} in {source}")
        yield found


def _apart(external: Sequence[str], names: Iterable[str]) -> list[str]:
    """The dependencies that are not bundled, and that no runtime has."""
    return [
        name
        for name in names
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in external)
        and not any(fnmatch.fnmatchcase(name, pattern) for pattern in _OF_THE_RUNTIME)
    ]


def _closure(base: Path, names: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """The folders of packages and of all that they need, and their places below node_modules."""
    seen: set[Path] = set()
    left = [(base, name, True) for name in names]
    while left:
        asking, name, needed = left.pop()
        place = _found(asking, name)
        if place is None:
            if needed:
                raise DependencyError(f"{name}, which {asking} needs, is not installed")
            continue
        if place in seen:
            continue
        if seen.isdisjoint(place.parents):  # one that lies in another comes with that
            yield place, f"{NODE_MODULES}/{name}"
        seen.add(place)
        told = json.loads((place / PACKAGE).read_text(encoding="utf-8"))
        left += [(place, one, True) for one in told.get("dependencies", {})]
        left += [
            (place, one, False) for kind in ("optionalDependencies", "peerDependencies") for one in told.get(kind, {})
        ]


def _largest(metafile: Path) -> tuple[tuple[str, int], ...]:
    sizes: Counter[str] = Counter()
    told: dict[str, Any] = json.loads(metafile.read_text(encoding="utf-8"))
    for output in told.get("outputs", {}).values():
        for name, one in output.get("inputs", {}).items():
            _, within, rest = name.rpartition(f"{NODE_MODULES}/")
            if within:
                parts = rest.split("/")
                sizes["/".join(parts[:2]) if rest.startswith("@") else parts[0]] += int(one.get("bytesInOutput", 0))
    return tuple(sizes.most_common())
