"""What is said of functions that ask for another architecture than the machine's."""

from pathlib import Path

from mayfly.app.sandboxes import Interpreters
from mayfly.services.functions.machine import host_architecture

OTHER = {"x86_64": "arm64", "arm64": "x86_64"}[host_architecture()]


def test_a_function_of_another_architecture_carries_a_warning(tmp_path: Path) -> None:
    known = Interpreters([], tmp_path)
    assert known.warnings("provided.al2023", [host_architecture()]) == []
    (warning,) = known.warnings("provided.al2023", [OTHER])
    assert warning.startswith(f"it asks for {OTHER} and runs on this machine's {host_architecture()}")
