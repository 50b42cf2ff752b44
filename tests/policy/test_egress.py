"""What a sandbox may reach: the words of it, and what they allow."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy import egress
from mayfly.policy.egress import Egress, EgressError, objection, parse

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=2, max_size=4).map(".".join).filter(lambda name: not name.endswith(".localhost"))
PORTS = st.integers(1, 65535)


def of_one_host(at: egress.Address) -> bool:
    meant = egress.plain(at)
    return not (meant.is_loopback or meant.is_multicast or meant.is_unspecified)


ADDRESSES = st.ip_addresses().filter(of_one_host)
HOSTS = st.one_of(
    NAMES, NAMES.map("*.{}".format), st.just("*"), ADDRESSES.map(lambda at: f"[{at}]" if at.version == 6 else str(at))
)
RULES = st.tuples(HOSTS, st.one_of(PORTS.map(str), st.just("*"))).map(":".join)


@given(st.lists(RULES, min_size=1, max_size=8))
def test_what_is_understood_is_written_so_that_it_is_understood_again(rules: list[str]) -> None:
    understood = parse(" ".join(rules))
    assert set(parse(str(understood)).rules) == set(understood.rules)


@given(NAMES, PORTS, NAMES, PORTS)
def test_a_name_allows_itself_at_its_port_and_nothing_else(name: str, port: int, other: str, another: int) -> None:
    allowed = parse(f"{name}:{port}")
    assert allowed.allows(name.upper() + ".", port)
    assert allowed.allows(other, another) == ((other, another) == (name, port))


@given(NAMES, LABELS, PORTS)
def test_a_wildcard_is_every_name_below_and_not_the_name(name: str, label: str, port: int) -> None:
    for text in (f"*.{name}:{port}", f".{name}:{port}"):
        allowed = parse(text)
        assert allowed.allows(f"{label}.{name}", port)
        assert allowed.allows(f"{label}.{label}.{name}", port)
        assert not allowed.allows(name, port)
        assert not allowed.allows(f"{label}{name}", port) or "." not in name
        assert not allowed.allows(f"{label}.{name}.{label}x", port)


@given(st.ip_addresses(v=4))
def test_no_way_of_writing_an_address_gets_around_what_is_said_of_it(at: ipaddress.IPv4Address) -> None:
    written = [f"::ffff:{at}", f"64:ff9b::{at}", str(ipaddress.IPv6Address((0x2002 << 112) | (int(at) << 80)))]
    for text in written:
        assert egress.address(text) == at
    assert bool(objection(at)) == any(
        (at.is_loopback, at.is_link_local, at.is_multicast, at.is_reserved, at in ipaddress.ip_network("0.0.0.0/8"))
    ) or str(at) in {"100.100.100.200", "168.63.129.16", "192.0.0.192"}


NEVER = """
127.0.0.1 ::1 169.254.169.254 fe80::1%eth0 fd00:ec2::254 0.0.0.0 :: 224.0.0.1 ff02::1 100.100.100.200 255.255.255.255
::127.0.0.1 2001:0:4136:e378:8000:63bf:3fff:fdd2
"""
NO_RULES = """
db db: db:0 db:65536 db:x http://db:1 db:1:2 ::1:80 127.1:80 0x7f.1:80 -b.com:1 *db:1 *.*.com:1 a..b:1 localhost:80
x.localhost:80 127.0.0.1:4566 127.0.0.1:* 127.0.0.1:53 0.0.0.0:80 224.0.0.1:80 [db]:1 2130706433:80
"""
TOO_MANY = " ".join(f"h{n}.com:1" for n in range(65))


@pytest.mark.parametrize("text", NEVER.split())
def test_these_are_never_what_a_name_may_lead_to(text: str) -> None:
    found = egress.address(text)
    assert found is not None
    assert objection(found)


@pytest.mark.parametrize("text", ["10.0.0.5", "93.184.216.34", "2606:2800:220:1::1", "fd12::1", "192.168.1.1"])
def test_other_networks_are(text: str) -> None:
    found = egress.address(text)
    assert found is not None
    assert objection(found) == ""


@pytest.mark.parametrize("text", [*NO_RULES.split(), "", " ", "none host", "a" * 64 + ":1", TOO_MANY])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(EgressError):
        parse(text)


def test_nothing_is_allowed_by_default_and_everything_by_host() -> None:
    assert not Egress()
    assert not Egress().allows("example.com", 443)
    assert str(Egress()) == str(parse("none")) == "none"
    everything = parse("host, 127.0.0.1:5432")
    assert everything.everything
    assert everything.allows("example.com", 1)
    assert str(everything) == "host 127.0.0.1:5432"
    assert parse("*:*") == parse("host")
