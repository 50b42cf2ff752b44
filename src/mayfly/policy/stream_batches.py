"""What becomes of a batch of a stream that a function was called with. Pure.

"How Lambda processes records from stream and queue-based event sources" and "Configuring partial batch response" in
AWS's developer guide: a batch that failed is tried again until its attempts or its age are used up, since nothing may
overtake it; where a function says which record failed first, those before it are done, and the rest begins anew; where
batches are bisected, one that failed comes again in two halves, which does not count as an attempt.
"""

from typing import Final, Literal, NamedTuple

FOREVER: Final = -1

Reason = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


class Rules(NamedTuple):
    """Of one mapping."""

    bisects: bool = False
    max_retries: int = FOREVER
    max_age_s: int = FOREVER


class Piece(NamedTuple):
    """Records that come in one call: the places [start, end) of a batch, and the calls that failed on them."""

    start: int
    end: int
    attempts: int


class Next(NamedTuple):
    """What follows a call. Every record is in one of the three, in this order."""

    done: int  # so many at the front
    dropped: Piece | None  # given up
    again: tuple[Piece, ...]  # come again, one after the other


def after(count: int, failed_at: int | None, attempts: int, rules: Rules) -> Next:
    """After a call with `count` records, on which `attempts` calls had failed before. `failed_at`: the place of the
    first record that failed, 0 where nobody knows which; None: none did."""
    if failed_at is None:
        return Next(count, None, ())
    if failed_at > 0:  # it went on from where it was
        return Next(failed_at, None, (Piece(failed_at, count, 0),))
    if rules.bisects and count > 1:
        middle = (count + 1) // 2
        return Next(0, None, (Piece(0, middle, attempts), Piece(middle, count, attempts)))
    if rules.max_retries != FOREVER and attempts >= rules.max_retries:
        return Next(0, Piece(0, count, attempts + 1), ())
    return Next(0, None, (Piece(0, count, attempts + 1),))


def too_old(ages_s: list[float], rules: Rules) -> int:
    """How many records at the front of a batch are given up before they are called with: up to the last one that is
    older than records may be."""
    if rules.max_age_s == FOREVER:
        return 0
    return max((place + 1 for place, age_s in enumerate(ages_s) if age_s > rules.max_age_s), default=0)


def window_of(arrived_at: float, size_s: int) -> float:
    """When the tumbling window began that a record belongs to, Unix seconds."""
    return arrived_at // size_s * size_s
