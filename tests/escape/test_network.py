"""Ways to other machines, to the host's own services, and to other functions."""

import errno
import secrets
import socket

import pytest

from mayfly.sandbox.oci.runtimes import GVISOR

from .cell import Cell, make

pytestmark = pytest.mark.asyncio(loop_scope="session")

# rtnetlink's messages, after their head.
LOOPBACK_DOWN = "0000000001000000" + "00000000" + "01000000"
ADD_ADDRESS = "0218000001000000" + "08000200" + "c0000201"
ADD_ROUTE = "02180000fe040001" + "00000000" + "0800010001020304"


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "169.254.169.254", "10.0.0.1", "172.17.0.1", "192.168.0.1", "255.255.255.255"]
)
async def test_no_other_machine_is_reached(cell: Cell, address: str) -> None:
    answer = await cell.attempt("connect", address=address, port=80)
    assert answer in {errno.ENETUNREACH, errno.EACCES if address.startswith("255") else errno.ENETUNREACH}


async def test_no_other_machine_is_reached_by_version_6(cell: Cell) -> None:
    answer = await cell.attempt("connect", address="2001:db8::1", port=80, family=socket.AF_INET6)
    assert answer == errno.ENETUNREACH


async def test_no_name_is_looked_up_and_no_datagram_leaves(cell: Cell) -> None:
    assert await cell.attempt("resolve", name="example.com") in {socket.EAI_NONAME, socket.EAI_AGAIN}
    assert await cell.attempt("send_datagram", address="8.8.8.8", port=53) == errno.ENETUNREACH


async def test_nobody_is_pinged(cell: Cell) -> None:
    assert await cell.attempt("ping") == (errno.EAFNOSUPPORT if cell.level == GVISOR else errno.EACCES)


@pytest.mark.parametrize(
    ("kind", "body"), [(24, ADD_ROUTE), (20, ADD_ADDRESS), (16, LOOPBACK_DOWN)], ids=["route", "address", "down"]
)
async def test_the_network_is_not_changed(cell: Cell, kind: int, body: str) -> None:
    assert await cell.attempt("netlink", kind=kind, body=body) == (
        errno.EACCES if cell.level == GVISOR else errno.EPERM
    )
    assert await cell.attempt("interfaces") == ["lo"]


async def test_the_hosts_loopback_is_another(cell: Cell, unprotected: Cell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert await cell.attempt("connect", address="127.0.0.1", port=port) == errno.ECONNREFUSED
        assert await unprotected.attempt("connect", address="127.0.0.1", port=port) == 0


async def test_the_hosts_abstract_sockets_are_others(cell: Cell, unprotected: Cell) -> None:
    name = f"mayfly-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        assert await cell.attempt("connect_abstract", name=name) == errno.ECONNREFUSED
        assert await unprotected.attempt("connect_abstract", name=name) == 0


async def test_abstract_sockets_of_other_functions_are_others(cell: Cell) -> None:
    theirs = await cell.sibling()
    name = f"mayfly-{secrets.token_hex(8)}"
    assert await make(theirs, "listen_abstract", name=name) == 0
    assert await make(theirs, "connect_abstract", name=name) == 0
    assert await cell.attempt("connect_abstract", name=name) == errno.ECONNREFUSED


async def test_the_platforms_ports_are_taken(cell: Cell) -> None:
    assert await cell.attempt("take_port", port=4566) == errno.EADDRINUSE
