"""Which Python serves a runtime identifier."""

import importlib.metadata
import sys
from pathlib import Path

from hypothesis import strategies as st

from mayfly.sandbox import interpreters
from mayfly.sandbox.api import Interpreter


def python(minor: int, micro: int = 0) -> Interpreter:
    return Interpreter((3, minor, micro), Path(f"/pythons/3.{minor}/bin/python3"), Path(f"/pythons/3.{minor}"))


MINORS = st.sets(st.integers(9, 20), min_size=1)


def test_the_running_python_is_found_outside_of_its_virtual_environment() -> None:
    own = interpreters.current()
    assert own.version == sys.version_info[:3]
    assert own.prefix == Path(sys.base_prefix).resolve()
    assert own.path.is_file()
    assert not own.path.is_symlink()
    assert own.path.is_relative_to(own.prefix)


def test_what_is_found_is_newest_first_and_one_a_minor_version(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    (tmp_path / "python3.99").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3.99").chmod(0o755)
    found = interpreters.find(str(tmp_path), tmp_path)
    minors = [one.version[:2] for one in found]
    assert minors == sorted(set(minors), reverse=True)
    assert interpreters.current() in found


def test_every_python_that_serves_can_import_the_packages_of_the_runtime() -> None:
    for package in ("boto3", "botocore", "s3transfer"):
        wanted = importlib.metadata.metadata(package)["Requires-Python"]
        oldest = tuple(map(int, wanted.removeprefix(">=").strip().split(".")))
        assert oldest <= interpreters.OLDEST, f"{package} needs Python {wanted}"
