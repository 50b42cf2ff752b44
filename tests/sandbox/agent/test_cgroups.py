"""Which cgroup hierarchy is used, and what is written into it."""

import errno
import os
import time
from pathlib import Path

import pytest

from mayfly.sandbox.agent import cgroups
from mayfly.sandbox.agent import hierarchy as agent_hierarchy
from mayfly.sandbox.agent.cgroups import Group, Limits
from mayfly.sandbox.agent.hierarchy import Layout, NoControllersError, Unified, find_layout, is_delegated, places

V1 = """\
30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
V2 = "31 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
OWN_V1 = "4:pids:/\n3:memory:/outer/limit\n2:cpu,cpuacct:/\n0::/\n"


def test_the_unified_hierarchy_is_used_when_it_has_all_controllers() -> None:
    layout = find_layout(V2, "0::/user.slice\n", [Unified("/sys/fs/cgroup", "cpuset cpu io memory pids")])
    assert layout == Layout(2, (("memory,cpu,pids", "/sys/fs/cgroup"),))


def test_a_hybrid_machine_uses_the_old_hierarchies_below_the_groups_it_is_in() -> None:
    layout = find_layout(V1, OWN_V1, [Unified("/sys/fs/cgroup/unified", "hugetlb")])
    assert layout.version == 1
    assert dict(layout.roots) == {
        "memory": "/sys/fs/cgroup/memory/outer/limit",
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
        "pids": "/sys/fs/cgroup/pids",
    }
    assert layout.freezing == ("/sys/fs/cgroup/unified",)


def test_without_a_unified_hierarchy_nothing_freezes() -> None:
    assert find_layout(V1, OWN_V1, []).freezing == ()


def test_where_the_unified_hierarchy_cannot_be_written_to_groups_are_made_without_freezing(tmp_path: Path) -> None:
    layout = Layout(1, (("memory,cpu,pids", str(tmp_path)),), (str(tmp_path / "read only"),))
    groups = cgroups.Groups(layout, "mayfly-test")
    groups.open()
    assert not groups.freezes
    group = groups.create()
    assert group.open_freezer() == []
    assert group.remove()
    groups.adopt(1)
    groups.remove()


def test_a_container_that_sees_a_part_of_a_hierarchy_uses_that_part() -> None:
    mounted = V1.replace("0:28 / /sys", "0:28 /docker/abc /sys")
    layout = find_layout(mounted, "3:memory:/docker/abc/inner\n", [])
    assert ("memory", "/sys/fs/cgroup/memory/inner") in layout.roots


def test_the_unified_hierarchy_is_preferred_on_a_machine_with_both() -> None:
    assert find_layout(V1, OWN_V1, [Unified("/sys/fs/cgroup/unified", "memory cpu pids")]).version == 2


def test_reading_from_disks_is_limited_where_the_machine_can(tmp_path: Path) -> None:
    parent = tmp_path / "mayfly-test"
    parent.mkdir()
    (tmp_path / "cgroup.subtree_control").write_text("memory cpu pids io")
    layout = Layout(2, (("memory,cpu,pids", str(tmp_path)),))
    groups = cgroups.Groups(layout, "mayfly-test", ("8:0", "259:1"))
    assert not groups.limits_disks
    (parent / "cgroup.subtree_control").write_text("memory cpu pids io")
    assert groups.limits_disks
    assert not cgroups.Groups(layout, "mayfly-test").limits_disks
    directory = parent / "instance-1"
    directory.mkdir()
    for name in ("memory.max", "memory.oom.group", "cpu.max", "pids.max", "io.max"):
        (directory / name).write_text("")
    Group(layout, [str(directory)], "", ("259:1",)).limit(Limits(1 << 27, 1.0, 100))
    limits = (directory / "io.max").read_text().split()
    assert limits == ["259:1", "rbps=268435456", "wbps=67108864", "riops=8000", "wiops=2000"]


def test_disks_are_named_by_the_number_of_the_whole_disk() -> None:
    assert all(number.replace(":", "").isdigit() for number in agent_hierarchy.disks_of(["/", "/proc"]))
    assert agent_hierarchy.disks_of(["/proc"]) == ()


def test_what_is_missing_is_named() -> None:
    with pytest.raises(NoControllersError, match=r"memory, pids"):
        find_layout(V1.splitlines()[1] + "\n", OWN_V1, [])
    with pytest.raises(NoControllersError, match=r"memory, cpu, pids"):
        find_layout(V2, "0::/\n", [])
    with pytest.raises(NoControllersError, match=r"cpu$"):
        find_layout(V2, "0::/\n", [Unified("/sys/fs/cgroup", "memory io pids")])


def test_groups_are_made_in_the_part_that_was_handed_over_to_the_service() -> None:
    service = "/sys/fs/cgroup/system.slice/mayfly.service"
    for own in ("0::/system.slice/mayfly.service\n", "0::/system.slice/mayfly.service/init\n"):
        assert places(V2, own, {service}.__contains__) == [service, "/sys/fs/cgroup"]


def test_what_was_handed_over_to_somebody_else_is_left_alone() -> None:
    own = "0::/user.slice/user@0.service/app.slice/mayfly.service\n"
    assert places(V2, own, {"/sys/fs/cgroup/user.slice/user@0.service"}.__contains__) == ["/sys/fs/cgroup"]


def test_the_root_is_no_part_that_could_be_handed_over() -> None:
    assert places(V2, "0::/\n", lambda _: True) == ["/sys/fs/cgroup"]
    assert places(V2, "0::/one\n", lambda _: True) == ["/sys/fs/cgroup/one", "/sys/fs/cgroup"]


def test_a_part_without_all_controllers_is_passed_over() -> None:
    unified = [Unified("/sys/fs/cgroup/part", "memory pids"), Unified("/sys/fs/cgroup", "cpu memory pids")]
    assert find_layout(V2, "0::/part\n", unified).roots[0][1] == "/sys/fs/cgroup"


def test_a_directory_that_nobody_marked_was_not_handed_over(tmp_path: Path) -> None:
    assert not is_delegated(str(tmp_path))


def hierarchy(root: Path, *files: str) -> Path:
    """A directory that stands for a group: with the files that the kernel would make in it."""
    root.mkdir(parents=True)
    for name in files:
        (root / name).write_text("")
    return root


def test_a_group_that_stays_busy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = hierarchy(tmp_path / "part", "cgroup.subtree_control")
    (root / "cgroup.procs").write_text("0\n")
    monkeypatch.setattr(agent_hierarchy, "write", busy)
    with pytest.raises(OSError, match=f"{root} holds processes"):
        agent_hierarchy.delegate(str(root))


def test_a_group_with_processes_that_have_no_name_here_cannot_be_divided(tmp_path: Path) -> None:
    root = hierarchy(tmp_path / "part", "cgroup.subtree_control", "cgroup.procs", "cgroup.type")
    assert not agent_hierarchy.is_blocked(str(root))
    (root / "cgroup.procs").write_text("7\n0\n")
    assert agent_hierarchy.is_blocked(str(root))
    (root / "cgroup.subtree_control").write_text("cpu memory pids\n")
    assert not agent_hierarchy.is_blocked(str(root))
    (root / "cgroup.subtree_control").write_text("memory pids\n")
    (root / "cgroup.type").unlink()
    assert not agent_hierarchy.is_blocked(str(root))


def test_processes_make_way_for_controllers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = hierarchy(tmp_path / "part", "cgroup.subtree_control")
    (root / "cgroup.procs").write_text("7\n0\n8\n")
    written: list[tuple[str, str]] = []

    def write(path: str, text: str) -> None:
        if path.endswith("subtree_control") and len(written) < 2:
            busy(path, text)
        written.append((path, text))

    monkeypatch.setattr(agent_hierarchy, "write", write)
    agent_hierarchy.delegate(str(root))
    leaf = f"{root}/init/cgroup.procs"
    assert written == [(leaf, "7"), (leaf, "8"), (f"{root}/cgroup.subtree_control", "+memory +cpu +pids")]


def busy(path: str, text: str) -> None:
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


LIMITS = Limits(memory_bytes=256 << 20, cpus=0.5, processes=64)


def test_limits_of_version_2_are_written_as_the_kernel_reads_them(tmp_path: Path) -> None:
    names = ("memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max")
    hierarchy(tmp_path / "one", *names)
    group = Group(Layout(2, (("memory,cpu,pids", str(tmp_path)),)), [str(tmp_path / "one")])
    group.limit(LIMITS)
    assert {name: (tmp_path / "one" / name).read_text() for name in names} == {
        "memory.max": "268435456",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "cpu.max": "50000 100000",
        "pids.max": "64",
    }


def test_running_out_of_memory_is_read_from_the_counters_of_version_2(tmp_path: Path) -> None:
    group = Group(Layout(2, (("memory,cpu,pids", str(tmp_path)),)), [str(tmp_path)])
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 0\noom_group_kill 0\n")
    assert not group.ran_out_of_memory()
    events.write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 1\n")
    assert group.ran_out_of_memory()


def test_a_kernel_without_a_peak_counter_gives_what_is_used_now(tmp_path: Path) -> None:
    group = Group(Layout(2, (("memory,cpu,pids", str(tmp_path)),)), [str(tmp_path)])
    (tmp_path / "memory.current").write_text("4096\n")
    assert cgroups.read_peak(group.open_peak()) == 4096
    (tmp_path / "memory.peak").write_text("8192\n")
    assert cgroups.read_peak(group.open_peak()) == 8192


@pytest.mark.parametrize(
    ("version", "limit", "weight"),
    [(2, ("cpu.max", "max"), ("cpu.weight", "10")), (1, ("cpu.cfs_quota_us", "-1"), ("cpu.shares", "102"))],
    ids=["version 2", "version 1"],
)
def test_what_is_killed_may_use_what_nobody_else_wants_of_the_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, limit: tuple[str, str], weight: tuple[str, str]
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    hierarchy(tmp_path / "group", limit[0], weight[0])
    (tmp_path / "group" / "cgroup.procs").write_text("41\n42\n")
    group = Group(Layout(version, (("memory,cpu,pids", ""),)), [str(tmp_path / "group")])
    group.kill()
    assert killed == [41, 42]
    assert [(tmp_path / "group" / name).read_text() for name, _ in (limit, weight)] == [limit[1], weight[1]]


@pytest.mark.parametrize("version", [2, 1], ids=["version 2", "version 1"])
def test_a_guest_is_not_killed_with_the_group_that_it_passes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    hierarchy(tmp_path / "group", "cgroup.kill")
    (tmp_path / "group" / "cgroup.procs").write_text("41\n42\n43\n")
    group = Group(Layout(version, (("memory,cpu,pids", ""),)), [str(tmp_path / "group")])
    group.guest = 42
    group.kill()
    assert killed == [41, 43]
    assert (tmp_path / "group" / "cgroup.kill").read_text() == ""


@pytest.mark.parametrize("version", [2, 1], ids=["version 2", "hybrid"])
def test_a_group_is_frozen_and_thawed_through_one_file_of_the_unified_hierarchy(tmp_path: Path, version: int) -> None:
    own, freezing = tmp_path / "own", tmp_path / "freezing"
    hierarchy(own, "cgroup.freeze")
    hierarchy(freezing, "cgroup.freeze")
    group = Group(Layout(version, (("memory,cpu,pids", str(own)),)), [str(own)], "" if version == 2 else str(freezing))
    (freezer,) = group.open_freezer()
    try:
        os.write(freezer, b"1")
        used, left = (own, freezing) if version == 2 else (freezing, own)
        assert (used / "cgroup.freeze").read_text() == "1"
        assert (left / "cgroup.freeze").read_text() == ""
    finally:
        os.close(freezer)


def test_a_group_without_a_freezer_says_so(tmp_path: Path) -> None:
    hierarchy(tmp_path / "own")
    layout = Layout(2, (("memory,cpu,pids", str(tmp_path)),))
    assert Group(layout, [str(tmp_path / "own")]).open_freezer() == []  # Linux before 5.2
    assert Group(Layout(1, layout.roots), [str(tmp_path / "own")]).open_freezer() == []


def test_a_guest_has_a_while_to_leave_a_group_that_goes_and_nobody_else_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    now = [100.0]
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    group = Group(Layout(1, (("memory,cpu,pids", ""),)), [str(tmp_path / "group")])
    (tmp_path / "group").mkdir()
    members = tmp_path / "group" / "cgroup.procs"
    members.write_text("41\n42\n")
    group.guest = 42
    assert not group.remove()
    assert killed == []
    members.write_text("41\n")  # it has left
    assert not group.remove()
    assert killed == [41]
    members.write_text("42\n")
    now[0] += cgroups.GUEST_LEAVES_S
    assert not group.remove()
    assert killed == [41, 42]
    members.unlink()
    assert group.remove()
