"""When a disk is low."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.disk import GIB, is_low, low_below

SIZES = st.integers(GIB, 10_000 * GIB)


def test_a_twentieth_is_low_within_bounds() -> None:
    assert low_below(100 * GIB) == 5 * GIB
    assert low_below(10 * GIB) == GIB
    assert low_below(10_000 * GIB) == 20 * GIB


@given(SIZES, st.floats(0, 1))
def test_a_disk_that_became_low_stays_so_until_clearly_more_is_there(total: int, fraction: float) -> None:
    available = int(total * fraction)
    if is_low(available, total, was_low=False):
        assert is_low(available, total, was_low=True)
    if not is_low(available, total, was_low=True):
        assert available >= low_below(total) * 1.2
