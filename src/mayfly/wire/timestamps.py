"""Timestamps on the wire: Unix seconds, ISO 8601 and the dates of RFC 822 headers, to and from aware datetimes.

Used by every codec. Parsing is liberal, as AWS's own services are: where a text is expected, any of the three forms
is taken. Formatting is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from math import isfinite

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_unix(seconds: float) -> datetime:
    """The datetime of a Unix time, exact to the microsecond; ValueError when it is outside the years 1 to 9999."""
    if not isfinite(seconds):
        raise ValueError(f"{seconds} is no time")
    try:
        return EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError(f"{seconds} is out of range") from error


def parse(text: str) -> datetime:
    """The datetime that `text` means in any of the three forms; ValueError."""
    text = text.strip()
    if len(text) > 64:
        raise ValueError("the text is too long for a time")
    if text[:3].isalpha():
        return _aware(parsedate_to_datetime(text))
    if "T" in text or ("-" in text[1:] and "e-" not in text.lower()):
        return _aware(datetime.fromisoformat(text))
    return from_unix(float(text))


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def to_unix(moment: datetime) -> int | float:
    """Unix seconds: an integer when there is no fraction, else with microseconds rounded once."""
    elapsed = _aware(moment) - EPOCH
    seconds = elapsed.days * 86_400 + elapsed.seconds
    if not elapsed.microseconds:
        return seconds
    return (seconds * 1_000_000 + elapsed.microseconds) / 1_000_000


def to_iso(moment: datetime) -> str:
    """`2026-01-31T12:00:00Z`, with three digits of fraction where there is one (six where three would lose some)."""
    moment = _aware(moment)
    text = f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}T{moment:%H:%M:%S}"
    if not moment.microsecond:
        return text + "Z"
    if moment.microsecond % 1000:
        return f"{text}.{moment.microsecond:06d}Z"
    return f"{text}.{moment.microsecond // 1000:03d}Z"


def to_iso_millis(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`: always three digits of fraction, as S3 writes it."""
    moment = _aware(moment)
    return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}T{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def to_http(moment: datetime) -> str:
    """`Sat, 31 Jan 2026 12:00:00 GMT`; fractions of a second are dropped."""
    return format_datetime(_aware(moment), usegmt=True)


def to_unix_text(moment: datetime) -> str:
    """`to_unix` as text without an exponent."""
    return str(to_unix(moment))


def formatter(name: str) -> Callable[[datetime], str]:
    """The function that writes a model's `timestampFormat` as text."""
    return _FORMATTERS[name.lower()]


_FORMATTERS: dict[str, Callable[[datetime], str]] = {
    "iso8601": to_iso,
    "rfc822": to_http,
    "unixtimestamp": to_unix_text,
}
