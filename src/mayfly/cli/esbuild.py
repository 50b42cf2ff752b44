"""The esbuild that bundles a function: the project's own, this machine's, or one that is fetched from npm and kept.

An esbuild that package-lock.json or package.json names exactly is fetched in that version, any other in `VERSION`.
npm runs no script of it: without its install script its program is a small one of Node.js, beside the binary.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mayfly.cli.dependencies import NODE_MODULES, NPM_LOCKS, PACKAGE
from mayfly.cli.installing import InstallError, node_program, npm
from mayfly.cli.keeping import Kept
from mayfly.errors import CallerError

VERSION = "0.28.2"
_NAME = "esbuild"
_EXACT = re.compile(r"\d+\.\d+\.\d+")
_SCRIPT = b"#!"
# The packages with the binaries, by system and machine; from version 0.15.18 on, and before.
_BINARIES = {
    ("linux", "x86_64"): ("@esbuild/linux-x64", "esbuild-linux-64"),
    ("linux", "aarch64"): ("@esbuild/linux-arm64", "esbuild-linux-arm64"),
    ("darwin", "x86_64"): ("@esbuild/darwin-x64", "esbuild-darwin-64"),
    ("darwin", "arm64"): ("@esbuild/darwin-arm64", "esbuild-darwin-arm64"),
}


class EsbuildError(CallerError):
    """esbuild cannot be had, or does not bundle what it is given; the message has what it said."""


@dataclass(frozen=True)
class Esbuild:
    """Of one program."""

    command: tuple[str, ...]

    def run(self, arguments: Sequence[str], folder: Path, what: str) -> str:
        """Run it in `folder`; what it warns of. `EsbuildError` with its messages, which name files and lines."""
        whole = [*self.command, *arguments, "--color=false", "--log-level=warning"]
        try:
            done = subprocess.run(
                whole, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            raise EsbuildError(f"{self.command[0]} does not run: {error.strerror}") from error
        said = done.stderr.strip()
        if done.returncode != 0:
            raise EsbuildError(f"{what} could not be bundled:\n{said or done.stdout.strip()}{_advice(said)}")
        return said


@dataclass(frozen=True)
class Finder:
    """`runtimes` is where an npm may be, `report` is told what takes long."""

    kept: Kept
    runtimes: Path
    report: Callable[[str], None]

    def find(self, source: Path, project: Path, installed: Path | None) -> Esbuild:
        """The esbuild for the code in `source`, whose package.json lies in `project`; `installed` holds what that
        depends on, where it is not installed in the project itself. `EsbuildError`."""
        for place in (source, *source.parents):
            program = place / NODE_MODULES / _NAME / "bin" / _NAME
            if program.is_file():
                return self._of(program)
        # What was installed may be for another processor than this one, so it is fetched in the version that it has.
        version = _exact(_json(installed / NODE_MODULES / _NAME / PACKAGE).get("version")) if installed else None
        there = shutil.which(_NAME)
        if version is None and there is not None:
            return Esbuild((there,))
        return self.fetched(version or _named_version(project) or VERSION)

    def fetched(self, version: str) -> Esbuild:
        """The esbuild of that version, from npm unless it was fetched before. `EsbuildError`."""

        def make(draft: Path) -> None:
            self.report(f"fetching esbuild {version} from npm")
            draft.mkdir()
            command = [*self._npm(), "install", "--prefix", str(draft), "--no-save", "--ignore-scripts", "--no-audit"]
            command += ["--no-fund", "--no-update-notifier", "--loglevel=error", "--", f"{_NAME}@{version}"]
            done = subprocess.run(
                command, cwd=draft, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
            )
            if done.returncode != 0:
                raise EsbuildError(
                    f"esbuild {version} could not be fetched; install it, as a development dependency or with "
                    f"`npm install --global esbuild`:\n{(done.stderr or done.stdout).strip()}"
                )

        folder = self.kept.folder("esbuild", f"{version}-{sys.platform}-{os.uname().machine}", make)
        return self._of(folder / NODE_MODULES / _NAME / "bin" / _NAME)

    def _of(self, program: Path) -> Esbuild:
        with program.open("rb") as file:
            script = file.read(len(_SCRIPT)) == _SCRIPT
        if not script:
            return Esbuild((str(program),))
        for name in _BINARIES.get((sys.platform, os.uname().machine), ()):
            binary = program.parents[2] / name / "bin" / _NAME
            if os.access(binary, os.X_OK):
                return Esbuild((str(binary),))
        try:
            return Esbuild((node_program(self.runtimes), str(program)))
        except InstallError as error:
            raise EsbuildError(str(error)) from error

    def _npm(self) -> list[str]:
        try:
            return npm(self.runtimes)
        except InstallError as error:
            raise EsbuildError(str(error)) from error


def _named_version(project: Path) -> str | None:
    """The version that the project's lock has, or its package.json where that names one and no range."""
    manifest = _json(project / PACKAGE)
    told = [_json(project / lock).get("packages", {}).get(f"{NODE_MODULES}/{_NAME}", {}) for lock in NPM_LOCKS]
    named = [one.get("version") for one in told]
    named += [manifest.get(kind, {}).get(_NAME) for kind in ("dependencies", "devDependencies")]
    return next((version for one in named if (version := _exact(one)) is not None), None)


def _exact(version: object) -> str | None:
    return version if isinstance(version, str) and _EXACT.fullmatch(version) else None


def _json(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _advice(said: str) -> str:
    names = sorted(set(_unresolved(said)))
    if not names:
        return ""
    return (
        f"\n{', '.join(names[:3])}: name it in the dependencies of the {PACKAGE} of the function's folder, or of one "
        "above it, or as External where a layer has it."
    )


def _unresolved(said: str) -> Iterator[str]:
    for name in re.findall(r'Could not resolve "([^"]+)"', said):
        if not name.startswith((".", "/")):
            yield name
