"""From a local `CodeUri` to bytes that a function can be made of.

A folder is copied into a deterministic zip (sorted names, fixed dates: the same source gives the same digest, and a
deployment that changes nothing is seen as such). When it has a `requirements.txt`, those distributions are installed
beside the code by uv, for the function's Python, into a cache keyed by their content; uv caches downloads itself.
"""

import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import uv

from mayfly.errors import CallerError

EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date that a zip can hold
SKIPPED_FOLDERS = frozenset(
    (".git", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".aws-sam", ".mayfly")
)
REQUIREMENTS = "requirements.txt"
_CHUNK = 1 << 20

Report = Callable[[str], None]


class PackagingError(CallerError):
    """The code cannot be packaged; the message says what to mend."""


def package(
    source: Path, python: str, cache: Path, report: Report, *, below: str = "", requirements_below: str = ""
) -> Path:
    """A zip of `source` (a folder, or a file that is one already) with its requirements; its path below `cache`.

    `python` is the version to install for, as "3.11". `report` is told what takes long. In the zip all of it is in the
    folder `below`, and in there the requirements in `requirements_below`: layers have them elsewhere than functions.
    """
    if source.is_file():
        if not zipfile.is_zipfile(source):
            raise PackagingError(f"{source} is neither a folder nor a zip file")
        return source
    if not source.is_dir():
        raise PackagingError(f"{source} does not exist")
    installed = _installed(source / REQUIREMENTS, python, cache, report, requirements_below)
    roots = [root for root in (installed, source) if root is not None]
    key = _fingerprint(roots, below)
    target = cache / "packages" / f"{key}.zip"
    if not target.exists():
        report("compressing")
        _write_zip(roots, target, below)
    return target


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed(requirements: Path, python: str, cache: Path, report: Report, below: str) -> Path | None:
    """A folder with the distributions that `requirements` names, in the folder `below`; None when it names none."""
    if not requirements.is_file():
        return None
    text = requirements.read_bytes()
    if not any(line.split(b"#")[0].strip() for line in text.splitlines()):
        return None
    seed = f"{python} {sys.platform} {os.uname().machine}{f' {below}' if below else ''}\n"
    key = hashlib.sha256(seed.encode() + text).hexdigest()[:32]
    target = cache / "requirements" / key
    if target.is_dir():
        return target
    report(f"installing {REQUIREMENTS}")
    draft = target.with_name(f"{key}.{os.getpid()}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    command = [
        uv.find_uv_bin(),
        "pip",
        "install",
        "--quiet",
        "--python-version",
        python,
        "--target",
        str(draft / below),
    ]
    command += ["--only-binary", ":all:", "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise PackagingError(f"{requirements} could not be installed for Python {python}:\n{done.stderr.strip()}")
    for folder in ("bin", ".lock"):  # scripts and a lock of the installer's: no function imports them
        leftover = draft / below / folder
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    try:
        draft.rename(target)
    except OSError:  # another deployment was faster
        shutil.rmtree(draft, ignore_errors=True)
    return target


def files(roots: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Names in the zip and the files they come from, sorted; a later root wins over an earlier one."""
    found: dict[str, Path] = {}
    for root in roots:
        for folder, names, present in os.walk(root):
            names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS)
            for file in present:
                path = Path(folder) / file
                if path.suffix != ".pyc" and path.is_file():
                    found[path.relative_to(root).as_posix()] = path
    yield from sorted(found.items())


def _fingerprint(roots: list[Path], below: str) -> str:
    """A digest of all names, modes and contents; installed distributions count by name and size, being immutable."""
    digest = hashlib.sha256(below.encode())
    own = roots[-1]
    for name, path in files(roots):
        facts = path.stat()
        content = file_digest(path) if own in path.parents else str(facts.st_size)
        digest.update(f"{name}\0{facts.st_mode & 0o111:o}\0{content}\n".encode())
    return digest.hexdigest()[:32]


def _write_zip(roots: list[Path], target: Path, below: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in files(roots):
            entry = zipfile.ZipInfo(f"{below}/{name}" if below else name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if path.stat().st_mode & 0o111 else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            with path.open("rb") as source, archive.open(entry, "w") as sink:
                _copy(source, sink)
    draft.replace(target)


def _copy(source: io.BufferedReader, sink: IO[bytes]) -> None:
    while chunk := source.read(_CHUNK):
        sink.write(chunk)
