"""Which version serves a runtime that is not installed, as tools that install for it are told."""

from pathlib import Path

from mayfly.app.sandboxes import Interpreters
from mayfly.sandbox.api import Interpreter
from mayfly.services.functions.runtimes import PYTHON

FOUND = [Interpreter((3, minor, 1), Path(f"/python3.{minor}"), Path("/"), "python") for minor in (11, 13)]


def test_runtimes_that_another_version_serves_are_told_with_that_version() -> None:
    known = Interpreters(FOUND, Path("/nowhere"))
    served = known.substitutes(PYTHON)
    assert served == {
        **dict.fromkeys(("python3.8", "python3.9", "python3.10"), "3.11"),
        **dict.fromkeys(("python3.12", "python3.14", "python3.15"), "3.13"),
    }


def test_nothing_serves_another_version_where_that_is_switched_off_or_nothing_is_there() -> None:
    assert Interpreters(FOUND, Path("/nowhere"), substitute=False).substitutes(PYTHON) == {}
    assert Interpreters([], Path("/nowhere")).substitutes(PYTHON) == {}
