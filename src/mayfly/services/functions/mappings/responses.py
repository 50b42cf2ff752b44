"""What a function says of the records of a batch: ReportBatchItemFailures. Pure.

"Implementing partial batch responses" in AWS's developer guide: a result without failures, an empty one and none at
all are successes; one that is not to be understood, or names a record that was not in the batch, fails the whole batch.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

_MEMBER: Final = "batchItemFailures"
_IDENTIFIER: Final = "itemIdentifier"
# Answers that are common, and successes.
_QUICK: Final = frozenset(
    {b"", b"null", b"{}", b'""', b"[]", b'{"batchItemFailures":[]}', b'{"batchItemFailures": []}'}
)
_decode = msgspec.json.Decoder().decode


def failures(answer: bytes, ids: Sequence[str]) -> frozenset[str]:
    """The ids of the records that failed, out of `ids`; all of them where the answer is wrong."""
    if answer in _QUICK:
        return frozenset()
    everything = frozenset(ids)
    try:
        told: Any = _decode(answer)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return everything
    if not told:  # of whatever kind
        return frozenset()
    if not isinstance(told, dict):
        return frozenset()
    items = told.get(_MEMBER)
    if items is None:
        return frozenset()
    if not isinstance(items, list):
        return everything
    found = set()
    for item in items:
        identifier = item.get(_IDENTIFIER) if isinstance(item, dict) else None
        if isinstance(identifier, dict):  # of a topic: its partition, which the batch is of, and an offset
            identifier = str(identifier.get("offset"))
        if not isinstance(identifier, str) or identifier not in everything:
            return everything
        found.add(identifier)
    return frozenset(found)


def first_failure(answer: bytes, ids: Sequence[str]) -> int | None:
    """The place of the first record that failed, for sources that are read in order; None: none did."""
    failed = failures(answer, ids)
    return min((place for place, each in enumerate(ids) if each in failed), default=None)
