"""System calls that Python has no name for, against the kernel itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mayfly.sandbox import parcel
from mayfly.sandbox.agent import hierarchy

# In a process of its own, because cloning needs one that has a single thread.
CLONE = """
import os, sys; sys.path.insert(0, sys.argv[1])
from mayfly.sandbox.agent import kernel
pid = kernel.clone(0, os.open(sys.argv[2], os.O_RDONLY | os.O_DIRECTORY) if len(sys.argv) > 2 else -1)
if pid == 0:
    print(open("/proc/self/cgroup").read(), flush=True)
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
"""


def cloned(*group: str) -> str:
    """/proc/self/cgroup of a clone."""
    arguments = [sys.executable, "-c", CLONE, str(parcel.source()), *group]
    return subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=30).stdout


@pytest.fixture
def group() -> Iterator[Path]:
    """A new group in the unified hierarchy, which hybrid machines have too."""
    places = hierarchy.places(
        Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text(), lambda _: False
    )
    if not places:
        pytest.skip("this machine has no unified hierarchy")
    directory = Path(places[0]) / f"mayfly-test-{os.getpid()}"
    directory.mkdir()
    yield directory
    directory.rmdir()


def test_a_clone_is_a_child_like_any_other() -> None:
    assert cloned() == Path("/proc/self/cgroup").read_text() + "\n"


@pytest.mark.root
def test_a_clone_can_be_born_in_a_control_group(group: Path) -> None:
    (unified,) = (line for line in cloned(str(group)).splitlines() if line.startswith("0::"))
    assert unified.endswith("/" + group.name)
