"""What `mayfly doctor` says of the levels of OCI runtimes."""

import os
from pathlib import Path

import pytest

from mayfly.sandbox.oci import trial
from mayfly.sandbox.oci.runtimes import CONTAINER, GVISOR

from ..conftest import runtime_of


def test_what_is_not_installed_is_named_with_its_cure(tmp_path: Path) -> None:
    gvisor, container = trial.examine(str(tmp_path))
    assert (gvisor.name, gvisor.available, gvisor.cure) == (GVISOR, False, "apt install runsc")
    assert (container.name, container.available, container.cure) == (CONTAINER, False, "apt install crun")
    assert not gvisor.needed
    assert "not installed" in container.detail


@pytest.mark.root
def test_what_works_is_said_with_how_it_works() -> None:
    for level in (GVISOR, CONTAINER):
        runtime_of(level)
    gvisor, container = trial.examine(os.environ["PATH"])
    assert gvisor.available, gvisor.detail
    assert "gVisor's kernel in user space (" in gvisor.detail
    assert container.available, container.detail
