"""Functions that call themselves by way of others: how often, by the trace header, and what is too often. Pure.

What a function sends carries the trace header that it was called with (the SDKs see to that), and so does every queue,
topic, bucket and bus on the way. Each call adds itself to the header's `Lineage`: functions by the checksum of their
ARN, and how many calls of each lie in this chain. A chain is cut where one has become too long, unless the function
allows it.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from zlib import crc32

from mayfly.services.contract import ServiceError

MOST = 16  # calls of one function in a chain
CODE = "RecursiveInvocationException"
_MOST_FUNCTIONS = 16  # in a header; the ones that were called last
_FIELD = "Lineage="
_ENTRY = re.compile(r"([0-9a-f]{8}):(\d{1,5})")


@lru_cache(4096)
def mark(arn: str) -> str:
    """What stands for a function; asked with every call."""
    return f"{crc32(arn.encode()):08x}"


def turns(header: str | None, arn: str) -> int:
    """How many calls of the function lie before one that comes with this header."""
    if header is None or _FIELD not in header:
        return 0
    return _counts(_lineage(header)).get(mark(arn), 0)


def entered(header: str, arn: str) -> str:
    """The header for what the function does now that it is called with this one."""
    if _FIELD not in header:
        return f"{header};{_FIELD}{mark(arn)}:1"
    lineage = _lineage(header)
    counts = _counts(lineage)
    counts[mark(arn)] = counts.pop(mark(arn), 0) + 1  # the latest last
    text = "|".join(f"{name}:{count}" for name, count in list(counts.items())[-_MOST_FUNCTIONS:])
    return header.replace(f"{_FIELD}{lineage}", f"{_FIELD}{text}", 1)


def deepest(headers: Iterable[str | None], arn: str) -> str | None:
    """Of the headers of what a function gets in one call, that in which it has been called most often."""
    found = [header for header in headers if header]
    return max(found, key=lambda header: turns(header, arn), default=None)


def fault() -> ServiceError:
    return ServiceError(
        CODE,
        "Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped your "
        "function's invocation.",
        status=400,
        members={"Type": "User"},
    )


def _lineage(header: str) -> str:
    return header.partition(_FIELD)[2].partition(";")[0]


def _counts(lineage: str) -> dict[str, int]:
    """What is none of ours is left out."""
    return {found[1]: int(found[2]) for entry in lineage.split("|") if (found := _ENTRY.fullmatch(entry.strip()))}
