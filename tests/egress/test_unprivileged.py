"""Ways out of sandboxes that a user made who is not root."""

import re
from pathlib import Path

from tests.sandbox.test_unprivileged import REPOSITORY, place, pytestmark, run_unprivileged

__all__ = ["place", "pytestmark"]


def test_they_are_the_same(place: Path) -> None:
    suite = str(REPOSITORY / "tests/egress/test_outlet.py")
    options = ["-q", "-p", "no:cacheprovider", "--basetemp", str(place / "home/t")]
    done = run_unprivileged(place, "-m", "pytest", *options, "-k", "not template", suite)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None, done.stdout
    assert int(passed[1]) >= 30
