"""The same attempts at the level `namespace` of a server that was not started by root."""

import re
from pathlib import Path

import pytest

from tests.sandbox.test_unprivileged import REPOSITORY, place, run_unprivileged

__all__ = ["place"]

pytestmark = pytest.mark.root

SUITES = ("test_kernel.py", "test_files.py", "test_network.py", "test_exhaustion.py")
# What only root's sandboxes have: a control group around them.
ONLY_AS_ROOT = "otherwise_without_isolation or without_isolation_there or memory_that_runs_out"


def test_what_is_contained_for_root_is_contained_for_anybody(place: Path) -> None:
    suites = [str(REPOSITORY / "tests/escape" / name) for name in SUITES]
    options = ["-q", "-p", "no:cacheprovider", "--basetemp", str(place / "home/t")]
    done = run_unprivileged(place, "-m", "pytest", *options, "-k", f"namespace and not ({ONLY_AS_ROOT})", *suites)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None, done.stdout
    assert int(passed[1]) >= 200
