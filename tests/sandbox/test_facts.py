"""What the machine is said to give agrees with what it gives."""

import os
import sys

import pytest

from mayfly.sandbox import facts
from mayfly.sandbox.facts import Fact


@pytest.mark.root
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="namespaces need Linux and root")
def test_a_machine_that_gives_namespaces_is_said_to_do_so() -> None:
    found = facts.examine()
    assert facts.obstacles(found) == []
    assert facts.levels(found) == ("namespace", "process")
    assert all(fact.detail for fact in found)


def test_an_obstacle_names_what_is_missing_and_the_cure() -> None:
    found = [Fact("kernel", True, "fine"), Fact("system call filter", False, "libseccomp is missing", "install it")]
    assert facts.obstacles(found) == ["system call filter: libseccomp is missing (install it)"]
    assert facts.levels(found) == ("process",)


def test_what_is_not_needed_is_no_obstacle() -> None:
    assert facts.levels([Fact("merged layers", False, "no overlayfs", needed=False)]) == ("namespace", "process")


def test_another_system_than_linux_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert facts.levels(facts.examine()) == ("process",)
