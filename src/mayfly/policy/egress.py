"""What a sandbox may reach outside itself: rules, and what they say of a destination.

Pure. Rules are text: `none`, `host`, or destinations, separated by spaces or commas, each a host and a port:
`db.example.com:5432`, `10.0.0.5:6379`, `[2001:db8::1]:443`; `*.example.com:443` (also written `.example.com:443`, for
places that allow no asterisk) is every name below that one, `*:443` every host, and a port of `*` every port. `host` is
`*:*`, and may be followed by destinations.

A name says nothing of where it leads, and whoever answers for it may say something else every time. So what a name
leads to is looked at again, whenever it is used: addresses of this machine, of its links, of many receivers, and those
where clouds keep credentials are refused unless a rule names the very address. `mayfly.egress` carries this out.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from mayfly.errors import CallerError

Address = IPv4Address | IPv6Address

MOST_RULES = 64
NONE, HOST = "none", "host"
ANY_PORT = 0
# What a sandbox has of its own on the loopback interface: names, proxy, platform, Runtime API.
DNS_PORT, PROXY_PORT = 53, 3128
RESERVED_PORTS = frozenset((DNS_PORT, PROXY_PORT, 4566, 9001))

_PROXY = f"http://127.0.0.1:{PROXY_PORT}"
_NOT_BY_PROXY = "127.0.0.1,localhost,::1"
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MOST_NAME = 253
_HOST_AND_PORT = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:\s]+)):(\*|[0-9]{1,5})")
_TRANSLATED, _THIS_NETWORK = IPv6Network("64:ff9b::/96"), IPv4Network("0.0.0.0/8")
# Where clouds answer with credentials and configuration, beside 169.254.169.254, which is a link's.
_METADATA = frozenset(ip_address(one) for one in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))


class EgressError(CallerError):
    """Text that is no rule; says which part, and what would be."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One destination, or many."""

    kind: Literal["name", "below", "address", "any"]
    host: str  # in lower case, without the asterisk; of an address, as Python writes it; of "any", empty
    port: int  # ANY_PORT: all of them

    def __str__(self) -> str:
        host = {"below": f"*.{self.host}", "any": "*"}.get(self.kind, self.host)
        return f"{f'[{host}]' if ':' in host else host}:{self.port or '*'}"


@dataclass(frozen=True, slots=True)
class Egress:
    """All of what a sandbox may reach; nothing by default."""

    rules: tuple[Rule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules)

    def __str__(self) -> str:
        """Text that `parse` makes the same of."""
        shown = [HOST if rule == _EVERYTHING else str(rule) for rule in self.rules]
        return " ".join(sorted(shown, key=lambda one: one != HOST)) or NONE

    @property
    def everything(self) -> bool:
        return _EVERYTHING in self.rules

    def ports(self, name: str) -> frozenset[int]:
        """The ports at which a name may be reached, ANY_PORT among them if all; none: it may not be spoken of."""
        return frozenset(rule.port for rule in self.rules if _speaks_of(rule, name))

    def allows(self, host: str, port: int) -> bool:
        """Whether a host, named or as an address, may be tried at a port."""
        found = address(host)
        shown = str(found) if found is not None else host.lower().rstrip(".")
        return any(
            rule.port in {ANY_PORT, port}
            and (rule.kind == "any" or (rule.host == shown if rule.kind == "address" else _speaks_of(rule, shown)))
            for rule in self.rules
        )

    def names_address(self, at: Address, port: int) -> bool:
        """Whether a rule names this very address, which then may be what it likes."""
        shown = str(at)
        return any(
            rule.kind == "address" and rule.host == shown and rule.port in {ANY_PORT, port} for rule in self.rules
        )


_EVERYTHING = Rule("any", "", ANY_PORT)


def address(text: str) -> Address | None:
    """The address that a host is; None: it is a name. What only some programs take for one, such as 127.1, is neither
    a name that can be on a list, nor an address."""
    try:
        return plain(ip_address(text))
    except (ValueError, AddressValueError):
        return None


def plain(found: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does; so that no way of writing it escapes a rule."""
    if isinstance(found, IPv4Address):
        return found
    if found.scope_id is not None:
        found = IPv6Address(int(found))
    if found in _TRANSLATED:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


def objection(found: Address) -> str:
    """Why what a name leads to must not be reached, whoever asks; empty: there is nothing against it. Whether it is an
    address of this machine's own is for the caller to find out."""
    if found.is_loopback or found.is_unspecified:
        return "it is the server's own machine"
    if found.is_link_local or found in _METADATA:
        return "it is an address of the link, where clouds keep credentials"
    if found.is_multicast or found == IPv4Address("255.255.255.255"):
        return "it is an address of many receivers"
    if found.is_reserved or (isinstance(found, IPv4Address) and found in _THIS_NETWORK):
        return "it is a reserved address"
    if isinstance(found, IPv6Address) and (found.is_site_local or found.teredo is not None):
        return "it leads through a tunnel, or nowhere"
    return ""


def parse(text: str) -> Egress:
    """The rules that a text says; `EgressError`."""
    words = text.replace(",", " ").split()
    if words == [NONE]:
        return Egress()
    if not words:
        raise EgressError(f"egress is {NONE}, {HOST}, or destinations such as db.example.com:5432, not empty")
    if NONE in words:
        raise EgressError(f"egress is {NONE} alone, or without {NONE}, not {text!r}")
    rules = tuple(dict.fromkeys(_EVERYTHING if word == HOST else _rule(word) for word in words))
    if len(rules) > MOST_RULES:
        raise EgressError(f"egress has at most {MOST_RULES} destinations, not {len(rules)}")
    return Egress(rules)


def merged(texts: Iterable[str]) -> Egress:
    """What several texts say together, of which `none` must stand alone; `EgressError`."""
    return parse(" ".join(texts))


def _rule(word: str) -> Rule:
    parsed = _HOST_AND_PORT.fullmatch(word.lower())
    if parsed is None:
        raise EgressError(
            f"{word!r} is no destination: it is HOST:PORT, *.DOMAIN:PORT, ADDRESS:PORT, or [ADDRESS]:PORT with IPv6"
        )
    host, port = parsed[1] or parsed[2], ANY_PORT if parsed[3] == "*" else int(parsed[3])
    if parsed[3] != "*" and not 1 <= port <= 65535:
        raise EgressError(f"the port of {word!r} is a number from 1 to 65535, or *")
    if host == "*":
        return Rule("any", "", port)
    found = address(host)
    if found is not None:
        return _of_address(word, found, port)
    if parsed[1]:
        raise EgressError(f"{word!r}: between brackets is an address of IPv6")
    below = host.startswith(("*.", "."))
    name = host.lstrip("*").lstrip(".").rstrip(".") if below else host.rstrip(".")
    if _NAME.fullmatch(name) is None or len(name) > _MOST_NAME or name.rpartition(".")[2].isdecimal():
        raise EgressError(f"{word!r} names no host: letters, digits and - between dots, or a whole address")
    if name == "localhost" or name.endswith(".localhost"):
        raise EgressError(f"{word!r}: name an address of this machine, such as 127.0.0.1, if it is to be reached")
    return Rule("below" if below else "name", name, port)


def _of_address(word: str, found: Address, port: int) -> Rule:
    if found.is_unspecified or found.is_multicast:
        raise EgressError(f"{word!r} is no address of one host")
    if found.is_loopback and port in {ANY_PORT, *RESERVED_PORTS}:
        raise EgressError(
            f"{word!r}: a sandbox has ports {', '.join(map(str, sorted(RESERVED_PORTS)))} of the loopback network of "
            f"its own; name another one"
        )
    return Rule("address", str(found), port)


def _speaks_of(rule: Rule, name: str) -> bool:
    name = name.lower().rstrip(".")
    if rule.kind == "below":
        return name.endswith(f".{rule.host}")
    return rule.kind == "any" or (rule.kind == "name" and rule.host == name)


def variables(allowed: Egress) -> dict[str, str]:
    """What tells programs of the proxy in their sandbox."""
    if not allowed:
        return {}
    said = {"HTTP_PROXY": _PROXY, "HTTPS_PROXY": _PROXY, "NO_PROXY": _NOT_BY_PROXY}
    return {**said, **{name.lower(): value for name, value in said.items()}}
