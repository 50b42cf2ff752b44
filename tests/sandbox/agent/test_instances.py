"""What the agent holds for an instance, and gives back whatever becomes of it."""

import os
import selectors
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mayfly.sandbox.agent import cgroups, channel, hierarchy
from mayfly.sandbox.agent.instances import Instances, NoRoomError, Uids
from mayfly.sandbox.agent.serving import react_once

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
def unheard() -> list[Callable[[], None]]:
    """What templates and clones have said, and nobody has heard yet."""
    return []


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as selector:
        yield selector


@pytest.fixture
def instances(
    selector: selectors.BaseSelector,
    groups: cgroups.Groups,
    reports: list[dict[str, Any]],
    unheard: list[Callable[[], None]],
) -> Instances:
    """Room for one instance."""

    def catch_up() -> None:
        while unheard:
            unheard.pop(0)()

    return Instances(selector, groups, Uids(0x7FFF0000, 1), lambda message, _: reports.append(message), catch_up)


def request(name: str, code: Path) -> dict[str, Any]:
    sizes = {"memory_mb": 128, "ephemeral_mb": 512, "cpus": 1.0, "processes": 16, "open_files": 64}
    return {"id": name, "code": str(code), "layers": [], "label": "", **_USUAL, **sizes}


def ended() -> int:
    """A child that is dead, and not buried."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 3"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


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


def test_an_instance_that_ended_before_its_word_was_heard_had_started(
    selector: selectors.BaseSelector,
    instances: Instances,
    groups: cgroups.Groups,
    reports: list[dict[str, Any]],
    unheard: list[Callable[[], None]],
    tmp_path: Path,
) -> None:
    """What the function's module does, when it is loaded, may end it before the agent has read all that was said."""
    admit(instances, request("one", tmp_path), groups.create())
    instances.cloned("one", ended())
    unheard.append(lambda: instances.listening("one", [os.open(os.devnull, os.O_RDONLY)], heard=False))
    react_once(selector, 0)
    assert [(one["op"], one["id"]) for one in reports] == [(channel.STARTED, "one"), (channel.EXITED, "one")]
    assert (reports[1]["reason"], reports[1]["code"]) == ("exited", 3)


def test_an_instance_that_could_not_be_isolated_says_why_though_it_has_ended(
    selector: selectors.BaseSelector,
    instances: Instances,
    groups: cgroups.Groups,
    reports: list[dict[str, Any]],
    unheard: list[Callable[[], None]],
    tmp_path: Path,
) -> None:
    admit(instances, request("one", tmp_path), groups.create())
    instances.cloned("one", ended())
    unheard.append(lambda: instances.failed("one", "no such mount"))
    react_once(selector, 0)
    assert reports == [{"op": channel.FAILED, "id": "one", "error": "no such mount"}]


def test_a_word_that_comes_when_all_is_over_is_nobodys(
    selector: selectors.BaseSelector,
    instances: Instances,
    groups: cgroups.Groups,
    reports: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    admit(instances, request("one", tmp_path), groups.create())
    instances.cloned("one", ended())
    react_once(selector, 0)
    late = os.open(os.devnull, os.O_RDONLY)
    instances.listening("one", [late], heard=False)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(late)
    assert [one["op"] for one in reports] == [channel.FAILED]
