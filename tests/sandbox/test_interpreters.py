"""Which Python serves a runtime identifier."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox import interpreters
from mayfly.sandbox.api import Interpreter, SandboxUnavailableError


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


@given(MINORS)
def test_an_installed_version_is_used_without_a_warning(minors: set[int]) -> None:
    found = [python(minor) for minor in minors]
    for minor in minors:
        assert interpreters.choose(f"python3.{minor}", found) == (python(minor), None)


@given(MINORS, st.integers(6, 25))
def test_the_nearest_version_is_used_with_a_warning(minors: set[int], wanted: int) -> None:
    choice = interpreters.choose(f"python3.{wanted}", [python(minor) for minor in minors])
    distance = abs(choice.interpreter.version[1] - wanted)
    assert distance == min(abs(minor - wanted) for minor in minors)
    assert (choice.warning is None) == (distance == 0)


def test_of_two_equally_near_versions_the_newer_is_used() -> None:
    choice = interpreters.choose("python3.11", [python(10), python(12, 4)])
    assert choice.interpreter == python(12, 4)
    assert choice.warning == "python3.11 is not installed on this machine; Python 3.12.4 runs its functions instead"


@pytest.mark.parametrize("runtime", ["nodejs22.x", "python2.7", "python3", "python3.11 ", "", "provided.al2023"])
def test_what_is_no_python_3_is_refused(runtime: str) -> None:
    with pytest.raises(SandboxUnavailableError, match="not a managed runtime"):
        interpreters.choose(runtime, [python(11)])


def test_a_machine_without_python_is_told_what_to_install() -> None:
    with pytest.raises(SandboxUnavailableError, match="install python3"):
        interpreters.choose("python3.11", [])
