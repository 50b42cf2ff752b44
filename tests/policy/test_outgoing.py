"""Which addresses the platform may send requests to."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.egress import Address
from mayfly.policy.outgoing import ReachError, parse

V4 = st.ip_addresses(v=4)


def nobody(_: Address) -> bool:
    return False


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "::1",
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "224.0.0.1",
        "255.255.255.255",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
    ],
)
def test_addresses_of_the_machine_and_its_links_are_refused(address: str) -> None:
    assert parse([]).objection(ip_address(address), nobody)


@pytest.mark.parametrize("address", ["93.184.215.14", "10.1.2.3", "192.168.0.7", "2606:2800:21f:cb07::1"])
def test_all_others_may_be_reached_unless_they_are_the_machines_own(address: str) -> None:
    assert parse([]).objection(ip_address(address), nobody) == ""
    assert parse([]).objection(ip_address(address), lambda _: True)
    assert parse([address]).objection(ip_address(address), lambda _: True) == ""


@given(V4, st.integers(0, 32))
def test_whatever_is_in_an_allowed_network_may_be_reached(address: IPv4Address, bits: int) -> None:
    network = ip_network((address, bits), strict=False)
    assert parse([str(network)]).objection(address, nobody) == ""


@given(V4)
def test_an_address_means_the_same_in_the_clothes_of_the_other_protocol(address: IPv4Address) -> None:
    reach = parse(["127.0.0.0/8"])
    mapped = IPv6Address(f"::ffff:{address}")
    assert reach.objection(mapped, nobody) == reach.objection(address, nobody)


@pytest.mark.parametrize("text", ["localhost", "127.0.0.1/33", "127.0.0.1/8", "", "*"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ReachError):
        parse([text])
