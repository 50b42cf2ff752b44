"""Files, devices and descriptors: of the host, of the platform, of other functions."""

import errno
import os
import stat
from pathlib import Path

import pytest

from mayfly.sandbox.oci.runtimes import CONTAINER, GVISOR

from .cell import CODE, SECRET, Cell, make
from .conftest import NAMESPACE

pytestmark = pytest.mark.asyncio(loop_scope="session")

EMPTY = ""
# Five devices that hold nothing, and what a runtime adds: no disk, no memory, no terminal that is somebody's.
DEVICES = {"/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"}


# What others have


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/machine-id",
        "/root/.ssh/id_ed25519",
        "/root/.aws/credentials",
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/run/systemd/private",
        "/run/dbus/system_bus_socket",
        "/var/lib/mayfly",
        "/boot/vmlinuz",
        "/.dockerenv",
        "/sys/kernel/security",
        "/sys/kernel/debug",
        "/sys/firmware/acpi/tables",
    ],
)
async def test_the_machines_files_are_not_there(cell: Cell, path: str) -> None:
    assert await cell.attempt("open_file", path=path) == errno.ENOENT


async def test_the_file_system_has_no_other_root(cell: Cell, tmp_path: Path, unprotected: Cell) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    ways = [
        "",
        "/proc/1/root",
        "/proc/self/root",
        "/proc/self/cwd/../../../..",
        "/var/task/../../..",
        "/dev/fd/../../..",
    ]
    for way in ways:
        answer = await cell.attempt("open_file", path=f"{way}{secret}")
        # gVisor shows nobody the root of another process, the own parent's included.
        assert answer in ({errno.ENOENT, errno.EACCES} if cell.level == GVISOR else {errno.ENOENT}), way
    assert await unprotected.attempt("open_file", path=f"/proc/self/root{secret}") == 0
    assert set(await cell.attempt("climb_out")) == set(await cell.attempt("listed", path="/"))
    assert "var" in await cell.attempt("climb_out")


async def test_another_functions_code_and_secrets_are_nowhere(cell: Cell, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "attempts.py").write_bytes((CODE / "attempts.py").read_bytes())
    (other / "private.txt").write_text(SECRET)
    for directory in (other, *other.parents[:3]):
        directory.chmod(0o755)
    theirs = await cell.fresh(other, {"SECRET": SECRET})
    roots = ["/var/task", "/tmp", "/opt", "/dev/shm", "/home", "/root", "/.mayfly"]
    assert await make(theirs, "look_for", needle=SECRET, roots=["/var/task"]) == ["/var/task/private.txt"]
    assert await make(theirs, "own_variable", name="SECRET") == SECRET
    assert await cell.attempt("look_for", needle=SECRET, roots=roots) == []
    assert await cell.attempt("look_for", needle="private.txt", roots=roots) == []
    assert await cell.attempt("own_variable", name="SECRET") is None
    assert SECRET not in str([await cell.attempt("read_some", path=f"/proc/{pid}/environ") for pid in (1, "self")])
    await cell.end(theirs)


# What the kernel tells, and lets itself be told


@pytest.mark.parametrize(
    "name",
    [
        *("kcore", "kmsg", "kallsyms", "keys", "key-users", "timer_list", "sched_debug", "interrupts", "softirqs"),
        *("vmstat", "zoneinfo", "buddyinfo", "diskstats", "schedstat", "latency_stats", "kpagecount", "iomem"),
    ],
)
async def test_proc_tells_nothing_of_the_machine(cell: Cell, name: str) -> None:
    assert await cell.attempt("read_some", path=f"/proc/{name}") in {EMPTY, errno.ENOENT, errno.EACCES}


@pytest.mark.parametrize(
    "path",
    [
        *("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname"),
        *("/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sys/kernel/randomize_va_space"),
        *("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ping_group_range", "/proc/self/uid_map"),
        *("/proc/self/gid_map", "/proc/self/setgroups", "/sys/kernel/mm/ksm/run", "/sys/kernel/uevent_helper"),
        *("/sys/power/state", "/proc/irq/0/smp_affinity", "/proc/acpi/wakeup"),
    ],
)
async def test_the_kernel_is_told_nothing_through_files(cell: Cell, path: str) -> None:
    answer = await cell.attempt("write_file", path=path, text="0 0 1")
    assert answer in {errno.EROFS, errno.EACCES, errno.ENOENT, errno.EPERM}


async def test_nothing_asks_to_be_spared_when_memory_is_short(cell: Cell) -> None:
    answer = await cell.attempt("write_file", path="/proc/self/oom_score_adj", text="-1000")
    # gVisor keeps the number, and does nothing with it: the machine's kernel sees gVisor alone.
    assert answer == {NAMESPACE: errno.EROFS, CONTAINER: errno.EACCES, GVISOR: 0}[cell.level]


@pytest.mark.parametrize(
    "path",
    [
        *("/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/dm-0"),
        *("/dev/loop-control", "/dev/loop0", "/dev/net/tun", "/dev/kvm", "/dev/vhost-vsock", "/dev/cpu/0/msr"),
        *("/dev/tty1", "/dev/input/event0", "/dev/uinput", "/dev/dri/card0", "/dev/userfaultfd", "/dev/console"),
    ],
)
async def test_there_is_no_such_device(cell: Cell, path: str) -> None:
    assert await cell.attempt("open_file", path=path) == errno.ENOENT


async def test_there_are_no_devices_but_harmless_ones(cell: Cell) -> None:
    more = {CONTAINER: {"/dev/tty"}, GVISOR: {"/dev/tty", "/dev/fuse", "/dev/pts/ptmx"}}
    assert set(await cell.attempt("devices")) == DEVICES | more.get(cell.level, set())


@pytest.mark.parametrize(
    ("kind", "major", "minor"), [(stat.S_IFBLK, 254, 0), (stat.S_IFBLK, 8, 0), (stat.S_IFCHR, 1, 1)]
)
async def test_no_device_is_made(cell: Cell, kind: int, major: int, minor: int) -> None:
    making, opening = await cell.attempt("make_device", kind=kind, major=major, minor=minor)
    if cell.level == GVISOR:  # it makes a name of one, of which its kernel has none
        assert (making, opening) == (0, errno.ENXIO)
    else:
        assert (making, opening) == (errno.EPERM, errno.ENOENT)


# Ways to root


async def test_a_set_user_id_program_of_the_system_runs_as_who_started_it(cell: Cell) -> None:
    assert await cell.attempt("run_su") is True


async def test_a_set_user_id_program_of_ones_own_cannot_be_roots(cell: Cell) -> None:
    found = await cell.attempt("run_set_uid", owner=0)
    assert found["id"] == found["own"]
    assert found["chown"] in {errno.EPERM, errno.EINVAL}  # EINVAL: there is no root in the user namespace


async def test_a_file_is_given_no_capabilities(cell: Cell) -> None:
    answer = await cell.attempt("give_capability_to_a_file")
    assert answer == (errno.ENOTSUP if cell.level == GVISOR else errno.EPERM)


async def test_nobody_becomes_root(cell: Cell) -> None:
    refused = {errno.EINVAL, errno.EPERM} if cell.level == NAMESPACE else {errno.EPERM}
    assert set((await cell.attempt("become", user=0)).values()) <= refused


async def test_nothing_is_planted_for_the_next_instance(cell: Cell) -> None:
    places = ["/", "/var/task", "/opt", "/usr", "/usr/bin", "/etc", "/var/runtime", "/proc", "/dev", "/home", "/root"]
    refused = {errno.EROFS, errno.EACCES, errno.ENOENT}
    assert set((await cell.attempt("read_only_places", places=places)).values()) <= refused


# The bootstrap and what is open


async def test_a_child_writes_to_the_bootstrap_only_where_it_is_its_own(cell: Cell) -> None:
    answer = await cell.attempt("write_the_bootstraps_memory")
    # In a container it can: what it gains is what the function is anyway, for there is nothing else in that process.
    assert answer == {NAMESPACE: errno.EROFS, CONTAINER: 0, GVISOR: errno.EACCES}[cell.level]


async def test_exactly_four_descriptors_are_open(cell: Cell) -> None:
    shown = await cell.attempt("descriptors")
    kinds = {"0": {"/dev/null"}, "1": {"pipe", "host"}, "2": {"pipe", "host"}, "3": {"socket", "host"}}
    assert set(shown) == set(kinds)
    assert all(shown[number] in kinds[number] for number in kinds), shown


async def test_a_child_has_no_way_to_the_server(cell: Cell) -> None:
    assert await cell.attempt("write_to_the_control_socket") == errno.EBADF


async def test_nothing_is_typed_into_a_terminal(cell: Cell) -> None:
    answer = await cell.attempt("type_into_the_terminal")
    assert answer == {NAMESPACE: errno.ENOENT, CONTAINER: errno.ENXIO, GVISOR: errno.EIO}[cell.level]
    assert await cell.attempt("type_into_the_platforms_descriptors") == [errno.ENOTTY] * 3


# Other processes


async def test_no_other_process_is_in_sight(cell: Cell) -> None:
    await cell.sibling()
    shown = await cell.attempt("processes")
    assert {mine for mine, _ in shown.values()} == {True}
    assert SECRET not in str(shown)


@pytest.mark.parametrize("whose", ["test", "init of the machine"])
async def test_the_files_of_a_process_outside_do_not_exist_and_cannot_be_timed(cell: Cell, whose: str) -> None:
    pid = os.getpid() if whose == "test" else os.getppid()
    assert set((await cell.attempt("process_files", pid=pid)).values()) == {errno.ENOENT}


@pytest.mark.parametrize("attempt", ["limit_of", "set_priority", "pin", "hold_process"])
async def test_nothing_is_done_to_a_process_outside(cell: Cell, attempt: str, unprotected: Cell) -> None:
    answer = await cell.attempt(attempt, pid=os.getpid())
    assert answer == (errno.ENOSYS if (cell.level, attempt) == (GVISOR, "hold_process") else errno.ESRCH)
    if attempt in {"limit_of", "hold_process"}:
        assert await unprotected.attempt(attempt, pid=os.getpid()) == 0


async def test_a_process_outside_gets_no_signal(cell: Cell, unprotected: Cell) -> None:
    assert await cell.attempt("send_signal", pid=os.getpid(), number=0) == errno.ESRCH
    assert await unprotected.attempt("send_signal", pid=os.getpid(), number=0) == 0


async def test_a_signal_to_everybody_ends_nobody_else(cell: Cell) -> None:
    await cell.assert_sibling_is_well()
    talk = await cell.fresh()
    # ESRCH: there is nobody else; gVisor counts the one who sends.
    assert await make(talk, "signal_everybody") in {0, errno.ESRCH}
    await cell.end(talk)
    await cell.assert_sibling_is_well()


async def test_no_priority_is_won(cell: Cell) -> None:
    # gVisor answers and does nothing: the machine's kernel schedules gVisor's threads, which have none.
    assert await cell.attempt("nicer", by=-5) == (0 if cell.level == GVISOR else errno.EPERM)
    assert await cell.attempt("real_time") == (errno.EINVAL if cell.level == GVISOR else errno.EPERM)


async def test_shared_memory_and_queues_of_others_have_no_names_here(cell: Cell) -> None:
    theirs = await cell.fresh()
    assert await make(theirs, "shared_memory", key=77, flags=0o1666) == 0
    assert await make(theirs, "shared_memory", key=77, flags=0) == 0
    assert await cell.attempt("shared_memory", key=77, flags=0) == errno.ENOENT
    assert await make(theirs, "message_queue", name="/theirs", flags=os.O_CREAT | os.O_RDWR) == 0
    assert await cell.attempt("message_queue", name="/theirs", flags=os.O_RDWR) == errno.ENOENT
    await cell.end(theirs)


# Control groups


async def test_control_groups_are_out_of_reach(cell: Cell) -> None:
    assert await cell.attempt("own_group") == ([] if cell.level == GVISOR else ["/"])
    places = await cell.attempt("groups_in_sight")
    assert places == (["/sys/fs/cgroup"] if cell.level == GVISOR else [])
    # gVisor shows an empty directory of its own where they would be.
    assert await cell.attempt("listed", path="/sys/fs/cgroup") == ([] if cell.level == GVISOR else errno.ENOENT)


@pytest.mark.parametrize(
    "name", ["release_agent", "notify_on_release", "cgroup.procs", "memory.max", "memory/memory.limit_in_bytes"]
)
async def test_no_control_group_is_written(cell: Cell, name: str) -> None:
    answer = await cell.attempt("write_file", path=f"/sys/fs/cgroup/{name}", text="1")
    assert answer in {errno.ENOENT, errno.EACCES, errno.EROFS}
