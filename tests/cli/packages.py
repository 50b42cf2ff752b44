"""Packages that `mayfly build` makes in tests, and distributions that it installs."""

import base64
import hashlib
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

Build = Callable[..., "subprocess.CompletedProcess[str]"]


def wheel(folder: Path, name: str, version: str, files: Mapping[str, str], tag: str = "py3") -> None:
    """A distribution that uv finds in `folder`."""
    info = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        f"{len(text.encode())}\n"
        for path, text in contents.items()
    )
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}-none-any.whl", "w") as archive:
        for path, text in {**contents, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


def packages(folder: Path) -> Path:
    return folder / ".mayfly" / "build"
