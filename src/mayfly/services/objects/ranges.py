"""Which bytes of an object a request asks for: RFC 9110 ranges, S3's part numbers and copy ranges. Pure."""

import re
from typing import Final, NamedTuple

from mayfly.services.objects.errors import error, invalid_argument

# Thirty digits are more than any size has, and less than what makes a number expensive to read.
_RANGE: Final = re.compile(r"bytes\s*=\s*(\d{0,30})\s*-\s*(\d{0,30})\s*", re.ASCII)
_COPY_RANGE: Final = re.compile(r"bytes=(\d{1,30})-(\d{1,30})", re.ASCII)


class Span(NamedTuple):
    """Bytes `start` (inclusive) to `end` (exclusive)."""

    start: int
    end: int

    def content_range(self, size: int) -> str:
        """The value of the Content-Range header for an object of `size` bytes."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse(header: str, size: int) -> Span | None:
    """The span that a Range header selects of `size` bytes.

    None when the header is to be ignored, as RFC 9110 has it for what is no valid range and as S3 does for several
    ranges at once. InvalidRange (416) when no byte is selected.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        span = Span(max(0, size - int(last)), size)
    else:
        if last and int(last) < int(first):
            return None
        span = Span(int(first), min(size, int(last) + 1) if last else size)
    if span.start >= span.end:
        raise error("InvalidRange", RangeRequested=header, ActualObjectSize=size)
    return span


def parse_copy(header: str, size: int) -> Span:
    """The span of x-amz-copy-source-range, which allows only `bytes=first-last` inside the source."""
    match = _COPY_RANGE.fullmatch(header)
    if match is None:
        raise invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            header,
        )
    span = Span(int(match[1]), int(match[2]) + 1)
    if span.start >= span.end or span.end > size:
        raise error(
            "InvalidArgument",
            f"Range specified is not valid for source object of size: {size}",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=header,
        )
    return span
