"""Which Rubies are found, and which of them serves what."""

from pathlib import Path

import pytest

from mayfly.sandbox import choice, rubies
from mayfly.sandbox.api import Interpreter, SandboxUnavailableError


def fake(directory: Path, version: str, engine: str = "ruby") -> Path:
    """A program that answers as a Ruby of that version."""
    program = directory / "bin" / "ruby"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho \'["{version}", "{program}", "{directory}", "{engine}"]\'\n')
    program.chmod(0o755)
    return program


def of(major: int, minor: int) -> Interpreter:
    return Interpreter((major, minor, 1), Path(f"/r{major}.{minor}"), Path("/"), "ruby")


def test_rubies_are_found_on_the_path_and_where_rbenv_keeps_them(tmp_path: Path) -> None:
    on_path = fake(tmp_path / "there", "3.97.1")
    kept = fake(tmp_path / "home" / ".rbenv" / "versions" / "3.98.0", "3.98.0")
    shim = fake(tmp_path / "shims", "3.99.0")
    found = rubies.find(f"{shim.parent}:{on_path.parent}", tmp_path / "home")
    versions = {one.version[:2]: one for one in found}
    assert list(versions) == sorted(versions, reverse=True)
    assert (versions[3, 98].path, versions[3, 98].prefix) == (
        kept,
        tmp_path / "home" / ".rbenv" / "versions" / "3.98.0",
    )
    assert versions[3, 97].path == on_path
    assert (3, 99) not in versions


@pytest.mark.parametrize(("version", "engine"), [("2.7.8", "ruby"), ("3.1.4", "jruby"), ("nonsense", "ruby")])
def test_what_is_too_old_or_no_ruby_is_not_used(tmp_path: Path, version: str, engine: str) -> None:
    assert rubies.probe(fake(tmp_path / "x", version, engine)) is None
    assert rubies.probe(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("runtime", "served"), [("ruby3.2", (3, 1)), ("ruby3.3", (3, 4)), ("ruby3.4", (3, 4)), ("ruby4.0", (3, 4))]
)
def test_the_nearest_ruby_serves_with_a_warning(runtime: str, served: tuple[int, int]) -> None:
    chosen = choice.choose(runtime, [of(3, 1), of(3, 4)])
    assert chosen.interpreter.version[:2] == served
    assert (chosen.warning is None) == (runtime == "ruby3.4")


def test_without_a_ruby_that_may_serve_it_is_said_what_to_install() -> None:
    with pytest.raises(SandboxUnavailableError, match=r"install Ruby 3\.3 with rbenv, or as a package of the system"):
        choice.choose("ruby3.3", [])
    with pytest.raises(SandboxUnavailableError, match=r"the nearest is Ruby 3\.1\.1, and substitution is switched off"):
        choice.choose("ruby3.2", [of(3, 1)], substitute=False)
