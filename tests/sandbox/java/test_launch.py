"""The command that runs a function of Java, and compiling what it starts."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox import jdks
from mayfly.sandbox.api import Interpreter, SandboxUnavailableError
from mayfly.sandbox.java import launch

JAVA = Path("/usr/lib/jvm/x/bin/java")


@given(st.integers(128, 10240))
def test_a_heap_leaves_room_beside_it(memory_mb: int) -> None:
    assert memory_mb / 2 <= launch.heap_mb(memory_mb) <= memory_mb - 64


def test_classes_are_found_in_the_package_its_jars_and_those_of_layers() -> None:
    command = launch.command(JAVA, 512, "/var/task", "/opt/l", {})

    assert command[0] == str(JAVA)
    assert "-Xmx436m" in command
    assert command[-3:] == ("-cp", "/opt/l:/var/task:/var/task/lib/*:/opt/java/lib/*", "mayfly.Launcher")


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ("-Xmx1g", "-Xmx"),
        ("-XX:MaxRAMPercentage=50", "-Xmx"),
        ("-XX:+UseG1GC", "-XX:+UseSerialGC"),
        ("-XX:-TieredCompilation", "-XX:Tiered"),
        ("-Xshare:off", "-Xshare"),
    ],
)
def test_a_function_s_own_options_are_not_overruled(options: str, gone: str) -> None:
    usual = launch.command(JAVA, 512, "/t", "/l", {})
    own = launch.command(JAVA, 512, "/t", "/l", {"JAVA_TOOL_OPTIONS": f"-Da=b {options}"})

    assert [flag for flag in usual if flag not in own] == [flag for flag in usual if flag.startswith(gone)]


@pytest.mark.skipif(not jdks.find(os.environ.get("PATH", "")), reason="no JDK is installed")
def test_the_launcher_is_compiled_once_and_readable_by_all(tmp_path: Path) -> None:
    jdk = jdks.find(os.environ.get("PATH", ""))[0]
    at = launch.place(tmp_path, jdk)

    launch.compiled(jdk, at)

    compiled = at / launch.DIRECTORY / "mayfly" / "Launcher.class"
    before = compiled.stat()
    assert before.st_mode & 0o777 == 0o644
    assert at.stat().st_mode & 0o777 == 0o755
    launch.compiled(jdk, at)
    assert compiled.stat().st_mtime_ns == before.st_mtime_ns
    assert [path.name for path in at.parent.iterdir()] == [at.name]


def test_a_jdk_that_is_gone_is_a_refusal_that_leaves_nothing(tmp_path: Path) -> None:
    gone = Interpreter((17, 0, 1), tmp_path / "bin" / "java", tmp_path, "java")
    at = launch.place(tmp_path / "made", gone)

    with pytest.raises(SandboxUnavailableError, match="cannot be compiled"):
        launch.compiled(gone, at)

    assert list(at.parent.iterdir()) == []
