"""Fair shares: by places, then by turns; nobody starves."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.shares import Share, allot, served

weights = st.sampled_from([0.01, 0.5, 1.0, 2.0, 3.0, 100.0])


def test_who_has_fewer_places_gets_the_next() -> None:
    assert allot([Share("many", 7, 0.0, 10), Share("few", 1, 99.0, 10)], 4) == {"few": 4}


def test_places_are_shared_by_weight() -> None:
    assert allot([Share("a", 0, 0.0, 99, 3.0), Share("b", 0, 0.0, 99, 1.0)], 16) == {"a": 12, "b": 4}


def test_what_one_does_not_want_goes_to_the_others() -> None:
    assert allot([Share("a", 0, 0.0, 2), Share("b", 0, 0.0, 99), Share("c", 0, 0.0, 0)], 10) == {"a": 2, "b": 8}


def test_with_one_place_turns_are_shared_by_weight() -> None:
    turns, counted = {"a": 0.0, "b": 0.0}, Counter[str]()
    weight = {"a": 3.0, "b": 1.0}
    for _ in range(400):
        [key] = allot([Share(key, 0, turns[key], 9, weight[key]) for key in turns], 1)
        counted[key] += 1
        turns[key] += 1 / weight[key]
    assert counted == {"a": 300, "b": 100}


def test_one_that_comes_back_has_no_turns_saved_up() -> None:
    assert served(10.0, 3.0, 1.0) == (10.0, 11.0)
    assert served(10.0, 12.0, 0.5) == (12.0, 12.5)


shares = st.lists(
    st.tuples(st.integers(0, 20), st.floats(0, 50), st.integers(0, 20), weights), min_size=1, max_size=8
).map(lambda found: [Share(str(n), *each) for n, each in enumerate(found)])


@given(shares, st.integers(0, 60))
def test_no_place_is_left_over_while_somebody_wants_it_and_nobody_gets_more_than_it_wants(
    found: list[Share], places: int
) -> None:
    given_ = allot(found, places)
    assert sum(given_.values()) == min(places, sum(share.wants for share in found))
    assert all(0 < given_[share.key] <= share.wants for share in found if share.key in given_)


@given(st.lists(weights, min_size=2, max_size=6), st.integers(1, 4), st.lists(st.integers(0, 99), max_size=60))
def test_nobody_starves_however_the_others_hold_on_to_their_places(
    weight: list[float], places: int, ends: list[int]
) -> None:
    """Everybody always wants more. Places are given back in any order; then one after the other, as every task ends."""
    running = [0] * len(weight)
    turns = [0.0] * len(weight)
    counted = [0] * len(weight)
    holders: list[int] = []
    bound = round(sum(weight) / min(weight)) + len(weight) * (places + 1)
    for step in range(len(ends) + min(bound, 60_000)):
        found = [Share(str(n), running[n], turns[n], 1, weight[n]) for n in range(len(weight))]
        while len(holders) < places:
            [key] = allot(found, 1)
            n = int(key)
            running[n] += 1
            turns[n] += 1 / weight[n]
            counted[n] += 1
            holders.append(n)
            found[n] = Share(key, running[n], turns[n], 1, weight[n])
        running[holders.pop(ends[step] % len(holders) if step < len(ends) else 0)] -= 1
        if all(counted):
            return
    raise AssertionError(f"served {counted} with weights {weight}")
