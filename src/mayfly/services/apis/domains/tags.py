"""Tags of domain names, for the operations on tags of both versions."""

import re
from collections.abc import Callable

from msgspec.structs import replace

from mayfly.services.apis.domains import book
from mayfly.store.api import Tx

_ARN = re.compile(r"arn:aws[a-zA-Z-]*:apigateway:[a-z0-9-]*::/domainnames/(?P<name>[^/]+)")
Tags = dict[str, str]


def of_domain(tx: Tx, arn: str) -> tuple[Tags, Callable[[Tags], None]] | None:
    """The tags of the domain name with that ARN, and how they are written; None: it is no ARN of one."""
    found = _ARN.fullmatch(arn)
    if found is None:
        return None
    domain = book.find(tx, found["name"].lower())
    return dict(domain.tags), lambda tags: book.put(tx, replace(domain, tags=tags))
