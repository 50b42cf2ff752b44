"""How a template's clone gets into the control group that is ready for it."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mayfly.sandbox.agent import kernel, template


@pytest.fixture
def entrance(tmp_path: Path) -> Iterator[int]:
    """A descriptor of the directory of a group of version 2."""
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_a_clone_is_born_in_its_group_where_that_is_one_directory(
    entrance: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "clone", lambda flags, group=-1: 7 if group == entrance else 0)
    assert template.clone_into([entrance]) == (7, [])


def test_a_clone_enters_the_groups_of_version_1_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "clone", lambda flags, group=-1: 7 if group == -1 else 0)
    with open(tmp_path / "tasks", "w") as file:
        assert template.clone_into([file.fileno()]) == (7, [file.fileno()])


@pytest.mark.parametrize("number", kernel.CANNOT_CLONE_INTO)
def test_a_kernel_that_cannot_clone_into_a_group_lets_the_clone_enter_by_itself(
    entrance: int, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def clone(flags: int, group: int = -1) -> int:
        if group >= 0:
            raise OSError(number, "clone")
        return 7

    monkeypatch.setattr(kernel, "clone", clone)
    assert template.clone_into([entrance]) == (7, [entrance])


def test_other_errors_of_cloning_are_told(entrance: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def clone(flags: int, group: int = -1) -> int:
        raise OSError(errno.EAGAIN, "clone")

    monkeypatch.setattr(kernel, "clone", clone)
    with pytest.raises(BlockingIOError):
        template.clone_into([entrance])
