"""System calls by which code would reach beyond its sandbox, or into parts of the kernel that it has no need for."""

import errno

import pytest

from mayfly.sandbox.oci.runtimes import GVISOR

from . import calls
from .calls import Call
from .cell import Cell, number_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

KINDS = ("mnt", "uts", "ipc", "net", "pid", "user", "cgroup")
# Namespaces that gVisor makes inside its own kernel for anybody.
OF_GVISOR = {"mount", "cgroup", "user", "time"}


@pytest.mark.parametrize("call", calls.ALL, ids=str)
async def test_the_call_is_refused(cell: Cell, call: Call) -> None:
    answer = await cell.attempt("system_call", number=number_of(call.name), arguments=call.arguments)
    assert answer == (call.gvisor if cell.level == GVISOR else errno.EPERM)


@pytest.mark.root
@pytest.mark.parametrize("call", calls.ALL, ids=str)
async def test_the_call_would_be_answered_otherwise_without_isolation(unprotected: Cell, call: Call) -> None:
    answer = await unprotected.attempt("system_call", number=number_of(call.name), arguments=call.arguments)
    if answer in {errno.EPERM, errno.ENOSYS}:
        pytest.skip("this machine refuses it to everybody")
    assert answer != errno.EACCES


@pytest.mark.parametrize("kind", calls.NAMESPACES)
async def test_no_namespace_can_be_left_for_a_new_one(cell: Cell, kind: str) -> None:
    answer = await cell.attempt("system_call", number=number_of("unshare"), arguments=[calls.NAMESPACES[kind]])
    assert answer == (0 if cell.level == GVISOR and kind in OF_GVISOR else errno.EPERM)


@pytest.mark.parametrize("kind", [kind for kind in calls.NAMESPACES if kind != "time"])
async def test_no_child_is_born_in_a_new_namespace(cell: Cell, kind: str) -> None:
    answer = await cell.attempt("clone", number=number_of("clone"), flags=calls.NAMESPACES[kind])
    assert answer == (0 if cell.level == GVISOR and kind in OF_GVISOR else errno.EPERM)


async def test_flags_that_a_filter_cannot_see_are_not_taken(cell: Cell) -> None:
    assert await cell.attempt("system_call", number=number_of("clone3"), arguments=[[64], 64]) == errno.ENOSYS


async def test_a_user_namespace_gives_power_over_nothing(cell: Cell) -> None:
    found = await cell.attempt("in_a_namespace_of_its_own", number=number_of("unshare"))
    if cell.level != GVISOR:
        assert found == errno.EPERM
    else:  # its kernel makes one, in which there is even less
        assert (found["raw"], found["shadow"], found["network"]) == (errno.EAFNOSUPPORT, errno.ENOENT, [])


@pytest.mark.parametrize("kind", KINDS)
async def test_no_namespace_is_entered_through_proc(cell: Cell, kind: str) -> None:
    answer = await cell.attempt("join_namespace", number=number_of("setns"), kind=kind)
    assert answer in ({errno.ENOENT, errno.ENOTSUP} if cell.level == GVISOR else {errno.EPERM})


@pytest.mark.root
@pytest.mark.parametrize("kind", calls.NAMESPACES)
async def test_without_isolation_there_are_new_namespaces(unprotected: Cell, kind: str) -> None:
    answer = await unprotected.attempt("system_call", number=number_of("unshare"), arguments=[calls.NAMESPACES[kind]])
    assert answer == 0


async def test_the_bootstrap_cannot_be_traced(cell: Cell, unprotected: Cell) -> None:
    assert await cell.attempt("trace_the_bootstrap", number=number_of("ptrace")) == errno.EPERM
    assert await unprotected.attempt("trace_the_bootstrap", number=number_of("ptrace")) in {0, errno.EPERM}


async def test_the_bootstraps_memory_cannot_be_read_by_its_children(cell: Cell) -> None:
    answer = await cell.attempt("read_the_bootstrap", number=number_of("process_vm_readv"))
    assert answer == (errno.ENOSYS if cell.level == GVISOR else errno.EPERM)


async def test_no_capability_is_there_and_none_can_be_had(cell: Cell) -> None:
    found = await cell.attempt("privileges")
    assert {value for value in found.values() if value != "not told"} == {"0" * 16}
    refusals = await cell.attempt("raise_a_capability")
    assert refusals == {"ambient": errno.EINVAL if cell.level == GVISOR else errno.EPERM, "capset": errno.EPERM}


@pytest.mark.parametrize(
    ("family", "kind", "protocol", "what"),
    [
        (2, 3, 1, "raw"),
        (2, 3, 255, "raw with headers"),
        (10, 3, 58, "raw, version 6"),
        (17, 3, 3, "packets"),
        (17, 2, 3, "packets, cooked"),
        (16, 3, 12, "netfilter"),
        (16, 3, 9, "audit"),
        (40, 1, 0, "vsock"),
        (38, 5, 0, "the kernel's ciphers"),
        (31, 3, 1, "bluetooth"),
        (29, 3, 1, "CAN"),
        (15, 3, 2, "the kernel's key exchange"),
        (44, 2, 0, "XDP"),
        (21, 5, 0, "RDS"),
        (30, 1, 0, "TIPC"),
    ],
)
async def test_exotic_sockets_cannot_be_made(cell: Cell, family: int, kind: int, protocol: int, what: str) -> None:
    answer = await cell.attempt("socket_of", family=family, kind=kind, protocol=protocol)
    if family == 16:
        assert answer == errno.EPROTONOSUPPORT, what
    elif family in {2, 10} and cell.level != GVISOR:
        assert answer == errno.EPERM, what
    else:
        assert answer == errno.EAFNOSUPPORT, what
