"""When the disk under the data directory is low, and when it is not any more. Pure."""

from typing import Final

GIB: Final = 1024**3
LOW_FRACTION: Final = 0.05  # of the disk
LEAST_BYTES, MOST_BYTES = GIB, 20 * GIB  # what that fraction amounts to at least and at most
EASE: Final = 1.2  # times as much must be there again before the disk counts as recovered


def low_below(total_bytes: int) -> int:
    """How many bytes must be available for a disk of that size not to be low."""
    return int(min(max(total_bytes * LOW_FRACTION, LEAST_BYTES), MOST_BYTES))


def is_low(available_bytes: int, total_bytes: int, *, was_low: bool) -> bool:
    """Whether a disk is low, given whether it was: around the limit the answer does not flutter."""
    return available_bytes < low_below(total_bytes) * (EASE if was_low else 1.0)
