"""Conditional requests: what If-Match and its siblings decide. Pure.

Reads follow the order of RFC 9110 section 13.2.2, which is what S3 documents for GetObject: If-Match overrules
If-Unmodified-Since, If-None-Match overrules If-Modified-Since. Times are compared in whole seconds, because that is
what the headers carry.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from mayfly.services.objects.errors import error, not_implemented
from mayfly.services.objects.model import StoredObject


class Conditions(NamedTuple):
    """The conditions that a request carries; None where it does not."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None

    @classmethod
    def of(cls, request: Mapping[str, object], prefix: str = "") -> "Conditions":
        """Those of a request's members; `prefix` "CopySource" for those about the source of a copy."""
        return cls(
            _text(request.get(f"{prefix}IfMatch")),
            _text(request.get(f"{prefix}IfNoneMatch")),
            _seconds(request.get(f"{prefix}IfModifiedSince")),
            _seconds(request.get(f"{prefix}IfUnmodifiedSince")),
        )


UNCONDITIONAL: Final = Conditions()


def check_read(conditions: Conditions, stored: StoredObject, now: float) -> None:
    """PreconditionFailed (412) or NotModified (304) unless the object may be answered."""
    _check_preconditions(conditions, stored)
    if conditions.if_none_match is not None:
        if _matches(conditions.if_none_match, stored.etag):
            raise error("NotModified", headers={"etag": stored.quoted_etag})
    elif _unmodified(conditions.if_modified_since, stored, now):
        raise error("NotModified", headers={"etag": stored.quoted_etag})


def check_copy(conditions: Conditions, source: StoredObject, now: float) -> None:
    """Like `check_read`, except that every failure is PreconditionFailed: a copy has no 304."""
    _check_preconditions(conditions, source, "x-amz-copy-source-")
    if conditions.if_none_match is not None:
        if _matches(conditions.if_none_match, source.etag):
            raise error("PreconditionFailed", Condition="x-amz-copy-source-If-None-Match")
    elif _unmodified(conditions.if_modified_since, source, now):
        raise error("PreconditionFailed", Condition="x-amz-copy-source-If-Modified-Since")


def validate_write(conditions: Conditions) -> None:
    """NotImplemented (501) for conditions that S3 does not have for writes; before any byte is read."""
    if conditions.if_none_match not in (None, "*"):
        raise not_implemented("A header you provided implies functionality that is not implemented")
    if conditions.if_match is not None and conditions.if_none_match is not None:
        raise not_implemented("A header you provided implies functionality that is not implemented")


def check_write(conditions: Conditions, current: StoredObject | None) -> None:
    """PreconditionFailed (412) or NoSuchKey (404) unless `current` may be replaced (or deleted)."""
    if conditions.if_none_match is not None and current is not None:
        raise error("PreconditionFailed", Condition="If-None-Match")
    if conditions.if_match is not None:
        if current is None:
            raise error("NoSuchKey")
        if not _matches(conditions.if_match, current.etag):
            raise error("PreconditionFailed", Condition="If-Match")


def _check_preconditions(conditions: Conditions, stored: StoredObject, prefix: str = "") -> None:
    if conditions.if_match is not None:
        if not _matches(conditions.if_match, stored.etag):
            raise error("PreconditionFailed", Condition=f"{prefix}If-Match")
    elif conditions.if_unmodified_since is not None and stored.modified_at > conditions.if_unmodified_since:
        raise error("PreconditionFailed", Condition=f"{prefix}If-Unmodified-Since")


def _unmodified(since: int | None, stored: StoredObject, now: float) -> bool:
    # A date in the future is not a valid condition (RFC 9110 section 13.1.3), or a client's fast clock would hide
    # objects from it.
    return since is not None and since <= now and stored.modified_at <= since


def _matches(header: str, etag: str) -> bool:
    candidates = (candidate.strip().removeprefix("W/").strip('"') for candidate in header.split(","))
    return any(candidate in ("*", etag) for candidate in candidates)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _seconds(value: object) -> int | None:
    return int(value.timestamp()) if isinstance(value, datetime) else None
