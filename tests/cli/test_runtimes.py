"""`mayfly runtime`: what can be installed, what is refused, and what is listed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import uv

from mayfly.cli import installing
from mayfly.sandbox import nodes


def mayfly(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mayfly", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("name", ["python3.12", "nodejs22", "java21", "../nodejs22.x"])
def test_what_cannot_be_installed_is_said(tmp_path: Path, name: str) -> None:
    done = mayfly("runtime", "install", name, "--data", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "cannot be installed" in done.stderr
    assert not (tmp_path / "data" / "runtimes").exists()


@pytest.mark.parametrize("package", ["--registry=x", "--global", "-g", "@-x/y", "a;b", "../a", "http://x/y.tgz", "A B"])
def test_packages_are_names_and_nothing_else(tmp_path: Path, package: str) -> None:
    with pytest.raises(installing.InstallError, match="is no name of a package"):
        installing.sdk(tmp_path, [package], lambda _: None)


def test_what_fails_to_install_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "find_uv_bin", lambda: shutil.which("false"))
    with pytest.raises(installing.InstallError, match=r"nodejs22\.x could not be installed"):
        installing.node("nodejs22.x", tmp_path, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_listed_with_its_language(tmp_path: Path) -> None:
    (tmp_path / "runtimes" / nodes.SDK).mkdir(parents=True)
    listed = json.loads(mayfly("runtime", "ls", "--json", "--data", str(tmp_path)).stdout)
    own = ".".join(map(str, sys.version_info[:3]))
    assert ("python", own) in {(one["language"], one["version"]) for one in listed["interpreters"]}
    assert listed["sdk"] == str(tmp_path / "runtimes" / "node_modules")


def test_the_doctor_says_what_runs_identifiers_of_both_languages(tmp_path: Path) -> None:
    told = json.loads(mayfly("doctor", "--json", "--data", str(tmp_path)).stdout)
    assert told["pythons"]
    assert isinstance(told["nodes"], list)
    assert told["sdk"] is None
    text = mayfly("doctor", "--data", str(tmp_path)).stdout
    for identifier in ("python3.14", "nodejs20.x", "nodejs24.x"):
        assert identifier in text
    assert "mayfly runtime install sdk" in text
