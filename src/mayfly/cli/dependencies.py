"""What a package depends on, installed into a folder of its own: Python's distributions by uv, Node.js's by npm.

Installed are the files that a lock names where there is one. A folder is made once for the content of the manifest and
the lock, the runtime and the machine that it is for, and kept in a cache; uv and npm cache downloads themselves.
Nothing of what is installed is run: wheels only, and no scripts of npm packages, unless somebody asks for it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import uv

from mayfly.cli.installing import InstallError, npm
from mayfly.cli.keeping import Kept
from mayfly.errors import CallerError

REQUIREMENTS, PYPROJECT, UV_LOCK = "requirements.txt", "pyproject.toml", "uv.lock"
PACKAGE, NPM_LOCKS = "package.json", ("package-lock.json", "npm-shrinkwrap.json")
NODE_MODULES = "node_modules"
DEFAULT_PYTHON = "3.11"
Architecture = Literal["x86_64", "arm64"]
Report = Callable[[str], None]

# The oldest C library that a runtime may find: Amazon Linux 2 up to Python 3.11, Amazon Linux 2023 after it.
_PLATFORMS = {"x86_64": "x86_64", "arm64": "aarch64"}
_ON_AMAZON_LINUX_2 = frozenset(("3.8", "3.9", "3.10", "3.11"))
_NPM_CPUS = {"x86_64": "x64", "arm64": "arm64"}
_LEFTOVERS = ("bin", ".lock", "uv_cache.json")


class DependencyError(CallerError):
    """What a package depends on cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Dependencies in a folder."""

    root: Path
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Installer:
    """`kept` is where folders are, `runtimes` where an npm may be, `report` is told what takes long."""

    kept: Kept
    runtimes: Path
    report: Report
    here: bool = True  # for this machine; otherwise, for the Linux that AWS runs functions on
    from_source: bool = False  # also run what builds distributions, and scripts of npm packages
    # Runtimes of Python that another version serves here ("python3.14": "3.13"): extension modules are of one version.
    served: Mapping[str, str] = field(default_factory=dict)

    def install(
        self, source: Path, runtime: str, architecture: Architecture, manifest: Path | None = None
    ) -> Installed | None:
        """What the folder `source` depends on, for a runtime such as python3.12; None: nothing. `manifest` stands in
        for its package.json where it ends in .json, otherwise for its requirements.txt. `DependencyError`."""
        if manifest is not None and not manifest.is_file():
            raise DependencyError(f"there is no {manifest}, which is to say what functions depend on")
        of_node = manifest is not None and manifest.suffix == ".json"
        if runtime.startswith("nodejs"):
            return self._node(source, runtime, architecture, manifest if of_node else None)
        if runtime.startswith(("java", "ruby", "dotnet", "go")):
            return None
        return self._python(source, self.python(runtime), architecture, None if of_node else manifest)

    def python(self, runtime: str) -> str:
        """The version of Python, such as 3.12, that distributions for a runtime have to be for."""
        named = runtime.removeprefix("python") if runtime.startswith("python") else DEFAULT_PYTHON
        return self.served.get(runtime, named)

    def named(self, requirement: str, version: str) -> Path:
        """A folder with one distribution and what it needs, for a version of Python. `DependencyError`."""

        def make(draft: Path) -> None:
            self.report(f"installing {requirement} for Python {version}")
            command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python-version", version]
            command += ["--target", str(draft), "--link-mode", "copy", "--only-binary", ":all:", requirement]
            self._run(command, draft.parent, requirement)

        return self._folder(_key("named", requirement, version, sys.platform, os.uname().machine), make)

    def _python(
        self, source: Path, version: str, architecture: Architecture, manifest: Path | None
    ) -> Installed | None:
        warnings: list[str] = []
        if manifest is not None or (source / REQUIREMENTS).is_file():
            named = manifest or source / REQUIREMENTS
            text = named.read_text(encoding="utf-8")
            if unpinned := unpinned_requirements(text):
                warnings.append(f"{named.name} pins no version of {', '.join(unpinned[:3])}: builds may differ")
        elif (source / UV_LOCK).is_file() and (source / PYPROJECT).is_file():
            named = source / UV_LOCK
            text = self._exported(source)
        elif (source / PYPROJECT).is_file() and _declares_dependencies(source / PYPROJECT):
            named = source / PYPROJECT
            text = named.read_text(encoding="utf-8")
            warnings.append(f"{PYPROJECT} has no {UV_LOCK} beside it: builds may differ")
        else:
            return None
        if named.name != PYPROJECT and not any(_requirement(line) for line in text.splitlines()):
            return None
        platform = "" if self.here else _platform(version, architecture)
        machine = f"{sys.platform} {os.uname().machine}" if self.here else platform
        key = _key("python", version, machine, str(self.from_source), named.name, text)

        def make(draft: Path) -> None:
            self.report(f"installing {named.name}")
            listed = named
            if named.name == UV_LOCK:
                listed = draft.with_suffix(".txt")
                listed.write_text(text, encoding="utf-8")
            command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-config", "--python-version", version]
            command += ["--target", str(draft), "--link-mode", "copy"]
            command += ["--python-platform", platform] if platform else []
            command += [] if self.from_source else ["--only-binary", ":all:"]
            try:
                self._run([*command, "--requirement", str(listed)], source, f"{named} for Python {version}")
            finally:
                if listed is not named:
                    listed.unlink()
            for name in _LEFTOVERS:  # scripts, and what is of this machine: no function imports them
                for leftover in (draft / name, *draft.glob(f"*.dist-info/{name}")):
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)

        return Installed(self._folder(key, make), tuple(warnings))

    def _exported(self, source: Path) -> str:
        """What a uv.lock names, as requirements with their hashes."""
        command = [uv.find_uv_bin(), "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project"]
        command += ["--no-emit-local", "--no-header", "--no-annotate", "--format", "requirements-txt"]
        return self._run([*command, "--project", str(source)], source, str(source / UV_LOCK))

    def _node(self, source: Path, runtime: str, architecture: Architecture, manifest: Path | None) -> Installed | None:
        named = manifest or source / PACKAGE
        if not named.is_file() or (source / NODE_MODULES).is_dir() or not dependencies_in(named):
            return None
        return self.node_modules(named.parent, runtime, architecture, named=named.name)

    def node_modules(
        self, source: Path, runtime: str, architecture: Architecture, *, strict: bool = False, named: str = PACKAGE
    ) -> Installed:
        """What the package.json in `source`, which may be `named` otherwise, names without what is for development, in
        a folder `node_modules` of its own. `strict`: a lock that does not fit it is an error. `DependencyError`."""
        manifest = source / named
        wanted = dependencies_in(manifest)
        if local := sorted(name for name, what in wanted.items() if what.startswith(("file:", "link:", "workspace:"))):
            raise DependencyError(
                f"{manifest} depends on {local[0]} by its place on this machine; install it yourself, with npm, and "
                f"deploy the {NODE_MODULES} that there is then"
            )
        lock = next((source / name for name in NPM_LOCKS if (source / name).is_file()), None)
        exact = lock is not None and (strict or _fits(lock, manifest))
        warnings: tuple[str, ...] = ()
        if lock is None:
            warnings = (f"{named} has no {NPM_LOCKS[0]} beside it: builds may differ",)
        elif not exact:
            warnings = (f"{lock.name} is not that of {named}, write it anew with npm install: builds may differ",)
        texts = [path.read_text(encoding="utf-8") for path in (manifest, lock) if path is not None]
        machine = f"{sys.platform} {os.uname().machine}" if self.here else architecture
        key = _key("nodejs", runtime, machine, str(self.from_source), *texts)

        def make(draft: Path) -> None:
            self.report(f"installing {lock.name if lock is not None else named}")
            work = draft.with_suffix(".npm")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            try:
                shutil.copy(manifest, work / PACKAGE)
                for path in (lock, source / ".npmrc"):
                    if path is not None and path.is_file():
                        shutil.copy(path, work)
                command = [*self._npm(), "ci" if exact else "install", "--omit=dev", "--no-audit"]
                command += ["--no-fund", "--no-update-notifier", "--loglevel=error", "--bin-links=false"]
                if not self.here:
                    command += [f"--cpu={_NPM_CPUS[architecture]}", "--os=linux", "--libc=glibc"]
                command += [] if self.from_source else ["--ignore-scripts"]
                self._run(command, work, f"{manifest} for {runtime}")
                (work / NODE_MODULES / ".package-lock.json").unlink(missing_ok=True)
                draft.mkdir()
                if (work / NODE_MODULES).is_dir():
                    (work / NODE_MODULES).rename(draft / NODE_MODULES)
            finally:
                shutil.rmtree(work, ignore_errors=True)

        return Installed(self._folder(key, make), warnings)

    def _npm(self) -> list[str]:
        try:
            return npm(self.runtimes)
        except InstallError as error:
            raise DependencyError(str(error)) from error

    def _folder(self, key: str, make: Callable[[Path], None]) -> Path:
        return self.kept.folder("dependencies", key, make)

    def _run(self, command: Sequence[str], directory: Path, what: str) -> str:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise DependencyError(f"{what} could not be installed:\n{said}{self._advice(said)}")
        return done.stdout

    def _advice(self, said: str) -> str:
        no_wheels = "no wheels" in said or "has no usable wheels" in said or "--only-binary" in said
        return "\nThere is no wheel for the function's runtime; --from-source builds one." if no_wheels else ""


def _platform(version: str, architecture: Architecture) -> str:
    return f"{_PLATFORMS[architecture]}-manylinux_2_{17 if version in _ON_AMAZON_LINUX_2 else 28}"


def unpinned_requirements(text: str) -> list[str]:
    """The names in a requirements.txt of which any version will do, or several."""
    found = []
    for line in text.splitlines():
        name = _requirement(line)
        if name and not name.startswith("-") and "==" not in name and "@" not in name:
            found.append(name)
    return found


def _requirement(line: str) -> str:
    """What a line asks for, without what is said of it; empty for a comment."""
    return "" if line.lstrip().startswith("#") else line.split(" #")[0].split(";")[0].strip()  # noqa: PLC0207


def _declares_dependencies(pyproject: Path) -> bool:
    try:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise DependencyError(f"{pyproject} is not TOML: {error}") from error
    return bool(project.get("dependencies"))


def dependencies_in(manifest: Path) -> Mapping[str, str]:
    """What a package.json depends on when it runs, and in which versions. `DependencyError`."""
    told = _object(manifest)
    found = {}
    for kind in ("dependencies", "optionalDependencies"):
        named = told.get(kind, {})
        found.update({str(name): str(what) for name, what in named.items()} if isinstance(named, dict) else {})
    return found


def _fits(lock: Path, manifest: Path) -> bool:
    """Whether a lock was written for what package.json names; one without the means to tell counts as such."""
    packages = _object(lock).get("packages")
    root = packages.get("") if isinstance(packages, dict) else None
    if not isinstance(root, dict):
        return True
    told = _object(manifest)
    return all(
        (root.get(kind) or {}) == (told.get(kind) or {})
        for kind in ("dependencies", "devDependencies", "optionalDependencies")
    )


def _object(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DependencyError(f"{path} is not JSON: {error}") from error
    return told if isinstance(told, dict) else {}


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
