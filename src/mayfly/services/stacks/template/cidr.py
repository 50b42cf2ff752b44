"""Fn::Cidr: address blocks cut out of a larger one. Pure."""

import ipaddress
from typing import Any

from mayfly.services.stacks.faults import validation

COUNT_LIMIT = 256


def blocks(block: Any, count: Any, bits: Any) -> list[str]:
    """`count` blocks that leave `bits` for the addresses in each; `ServiceError` ValidationError."""
    try:
        network = ipaddress.ip_network(str(block))
        prefix = network.max_prefixlen - int(bits)
        if not 1 <= int(count) <= COUNT_LIMIT or int(count) > 2 ** (prefix - network.prefixlen):
            raise ValueError
        step = 2 ** int(bits)
        base = int(network.network_address)
        kind = type(network.network_address)
        return [f"{kind(base + number * step)}/{prefix}" for number in range(int(count))]
    except (ValueError, TypeError, OverflowError):
        raise validation(f"Template error: Fn::Cidr cannot cut {count} blocks of {bits} bits out of {block}") from None
