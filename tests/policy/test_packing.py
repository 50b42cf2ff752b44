"""Calls are packed: the fullest instance that has room, and no more instances than needed."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy import packing

LOADS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 8)), max_size=12)


@given(LOADS)
def test_the_fullest_one_with_room_is_chosen_if_any_has_room(loads: list[tuple[int, int]]) -> None:
    chosen = packing.fullest(loads)
    roomy = [load for load, capacity in loads if load < capacity]
    if chosen is None:
        assert not roomy
    else:
        load, capacity = loads[chosen]
        assert load < capacity
        assert load == max(roomy)


def test_places_that_are_promised_are_not_there_for_others() -> None:
    assert packing.places_to_come([7, 3], waiting=4) == 6
    assert packing.places_to_come([], waiting=2) == -2
