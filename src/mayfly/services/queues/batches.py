"""What batch requests have in common."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mayfly.services.contract import ServiceError
from mayfly.services.queues.model import MAX_BATCH

E = TypeVar("E", bound=Mapping[str, Any])
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")


def checked_entries(entries: Sequence[E], kind: str) -> Sequence[E]:
    """`entries`, of which SQS calls one a `kind`, if they make a batch; `ServiceError`."""
    if not entries:
        raise ServiceError("EmptyBatchRequest", f"There should be at least one {kind} in the request.")
    if len(entries) > MAX_BATCH:
        raise ServiceError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {MAX_BATCH}. You have sent {len(entries)}.",
        )
    seen: set[str] = set()
    for entry in entries:
        entry_id = entry["Id"]
        if not _ID.match(entry_id):
            raise ServiceError(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long.",
            )
        if entry_id in seen:
            raise ServiceError("BatchEntryIdsNotDistinct", f"Id {entry_id} repeated.")
        seen.add(entry_id)
    return entries


def failed(entry_id: str, error: ServiceError) -> dict[str, Any]:
    """An entry's failure as replies have it."""
    return {"Id": entry_id, "SenderFault": True, "Code": error.code, "Message": error.message}
