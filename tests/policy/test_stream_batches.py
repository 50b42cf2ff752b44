"""What becomes of a batch of a stream."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.stream_batches import Next, Piece, Rules, after, too_old, window_of

RULES = st.builds(Rules, st.booleans(), st.integers(-1, 5), st.integers(-1, 100))


def test_a_batch_that_went_well_is_done() -> None:
    assert after(3, None, 0, Rules()) == Next(3, None, ())


def test_a_batch_that_failed_comes_again_whole() -> None:
    assert after(3, 0, 1, Rules()) == Next(0, None, (Piece(0, 3, 2),))


def test_what_follows_a_record_that_failed_begins_anew() -> None:
    assert after(3, 2, 1, Rules(max_retries=1)) == Next(2, None, (Piece(2, 3, 0),))


def test_a_batch_that_failed_comes_again_in_halves_where_that_is_asked_for() -> None:
    assert after(5, 0, 1, Rules(bisects=True, max_retries=1)) == Next(0, None, (Piece(0, 3, 1), Piece(3, 5, 1)))


def test_a_batch_is_given_up_after_its_retries() -> None:
    assert after(2, 0, 0, Rules(max_retries=0)) == Next(0, Piece(0, 2, 1), ())
    assert after(2, 0, 3, Rules(max_retries=3)) == Next(0, Piece(0, 2, 4), ())


def test_a_poison_record_is_found_by_halving_and_costs_the_others_nothing() -> None:
    rules = Rules(bisects=True, max_retries=0)
    poison, done, dropped = 6, [], []
    pieces = [list(range(10))]
    attempts = [0]
    while pieces:
        records, tried = pieces.pop(0), attempts.pop(0)
        found = after(len(records), 0 if poison in records else None, tried, rules)
        done += records[: found.done]
        if found.dropped is not None:
            dropped += records[found.dropped.start : found.dropped.end]
        pieces = [records[each.start : each.end] for each in found.again] + pieces
        attempts = [each.attempts for each in found.again] + attempts
    assert done == [number for number in range(10) if number != poison]
    assert dropped == [poison]


@given(count=st.integers(1, 50), failed_at=st.none() | st.integers(0, 49), attempts=st.integers(0, 10), rules=RULES)
def test_every_record_is_done_dropped_or_comes_again_in_order(
    count: int, failed_at: int | None, attempts: int, rules: Rules
) -> None:
    failed_at = None if failed_at is None else min(failed_at, count - 1)
    found = after(count, failed_at, attempts, rules)
    places = list(range(found.done))
    for piece in ((found.dropped,) if found.dropped is not None else ()) + found.again:
        assert piece.start < piece.end
        places += range(piece.start, piece.end)
    assert places == list(range(count))


@given(count=st.integers(1, 64), retries=st.integers(0, 5), bisects=st.booleans())
def test_a_batch_that_always_fails_ends_within_a_bounded_number_of_calls(
    count: int, retries: int, bisects: bool
) -> None:
    rules, calls, pieces = Rules(bisects, retries), 0, [(count, 0)]
    while pieces:
        size, tried = pieces.pop(0)
        calls += 1
        assert calls <= 2 * count * (retries + 1)
        pieces = [(each.end - each.start, each.attempts) for each in after(size, 0, tried, rules).again] + pieces


def test_records_that_are_too_old_are_given_up_with_all_before_them() -> None:
    assert too_old([10, 70, 5], Rules(max_age_s=60)) == 2
    assert too_old([10, 5], Rules(max_age_s=60)) == 0
    assert too_old([1000], Rules()) == 0


@given(st.floats(0, 4e9), st.integers(1, 900))
def test_a_record_lies_in_its_window(arrived_at: float, size_s: int) -> None:
    assert window_of(arrived_at, size_s) <= arrived_at < window_of(arrived_at, size_s) + size_s
