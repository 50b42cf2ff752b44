"""What the agent holds for an instance, and gives back whatever becomes of it."""

import os
import selectors
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mayfly.sandbox.agent import cgroups, channel, hierarchy
from mayfly.sandbox.agent.instances import Instances, NoRoomError, Uids

pytestmark = pytest.mark.root

_USUAL = {"ahead": False, "program": False, "vacant": False, "early": False, "root": None}


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[cgroups.Groups]:
    groups = cgroups.Groups(hierarchy.read_layout(), cgroups.group_name(str(tmp_path)))
    groups.open()
    yield groups
    groups.remove()


@pytest.fixture
def reports() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def instances(groups: cgroups.Groups, reports: list[dict[str, Any]]) -> Iterator[Instances]:
    """Room for one instance."""
    with selectors.DefaultSelector() as selector:
        yield Instances(selector, groups, Uids(0x7FFF0000, 1), lambda message, _: reports.append(message))


def request(name: str, code: Path) -> dict[str, Any]:
    sizes = {"memory_mb": 128, "ephemeral_mb": 512, "cpus": 1.0, "processes": 16, "open_files": 64}
    return {"id": name, "code": str(code), "layers": [], "label": "", **_USUAL, **sizes}


def admit(instances: Instances, message: dict[str, Any], group: cgroups.Group) -> None:
    for descriptor in instances.admit(message, group)[1]:
        os.close(descriptor)


def test_an_instance_that_was_never_cloned_gives_everything_back(
    instances: Instances, groups: cgroups.Groups, reports: list[dict[str, Any]], tmp_path: Path
) -> None:
    first, second = groups.create(), groups.create()
    admit(instances, request("one", tmp_path), first)
    with pytest.raises(NoRoomError):
        instances.admit(request("two", tmp_path), second)
    instances.abandoned("one", "no process could be made")
    assert reports == [{"op": channel.FAILED, "id": "one", "error": "no process could be made"}]
    with pytest.raises(FileNotFoundError):
        first.entrances()
    admit(instances, request("two", tmp_path), second)
    instances.abandoned("two", "either")


def test_a_refused_instance_leaves_its_group_to_the_next(
    instances: Instances, groups: cgroups.Groups, tmp_path: Path
) -> None:
    group = groups.create()
    with pytest.raises(FileNotFoundError):
        instances.admit(request("one", tmp_path / "missing"), group)
    admit(instances, request("two", tmp_path), group)
    instances.abandoned("two", "enough")
