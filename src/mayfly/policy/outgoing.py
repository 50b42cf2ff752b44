"""Which addresses the platform itself may send requests to, on behalf of whoever can name a URL to it. Pure.

Who may subscribe a URL to a topic must not reach with it what only this machine reaches: its own services, and those
of its links, where clouds keep credentials. `policy.egress` knows these addresses; networks that an operator allows
are excepted.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from mayfly.errors import CallerError
from mayfly.policy import egress
from mayfly.policy.egress import Address

Network = IPv4Network | IPv6Network


class ReachError(CallerError):
    """Text that is no network; says which."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be reached beside the addresses that anybody may reach."""

    allowed: tuple[Network, ...] = ()

    def objection(self, found: Address, own: Callable[[Address], bool]) -> str:
        """Why requests must not be sent to an address; empty: they may. `own` says whether it is this machine's."""
        found = egress.plain(found)
        if any(found in network for network in self.allowed):
            return ""
        return egress.objection(found) or ("it is the server's own machine" if own(found) else "")


def parse(texts: Iterable[str]) -> Reach:
    """The reach that networks say, such as 127.0.0.0/8 or 10.1.2.3; `ReachError`."""
    allowed = []
    for text in texts:
        try:
            allowed.append(ip_network(text.strip()))
        except ValueError as error:
            raise ReachError(f"a network is an address, or ADDRESS/BITS such as 127.0.0.0/8, not {text!r}") from error
    return Reach(tuple(allowed))
