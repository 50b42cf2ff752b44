"""Scenarios and properties of eviction."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.eviction import Candidate, choose, value

candidates = st.lists(
    st.builds(
        Candidate,
        id=st.uuids().map(str),
        memory_mb=st.integers(128, 10_240),
        idle_s=st.floats(0, 1e6),
        start_ms=st.floats(0, 1e5),
    ),
    max_size=20,
    unique_by=lambda candidate: candidate.id,
)


def test_of_equals_the_one_idle_for_longest_goes() -> None:
    assert choose([Candidate("a", 128, 5, 10), Candidate("b", 128, 50, 10)], 100) == ["b"]


def test_of_equals_the_one_that_starts_fastest_goes() -> None:
    assert choose([Candidate("pandas", 128, 5, 800), Candidate("hello", 128, 5, 4)], 100) == ["hello"]


def test_of_equals_the_largest_goes() -> None:
    assert choose([Candidate("small", 128, 5, 10), Candidate("large", 1024, 5, 10)], 100) == ["large"]


def test_one_that_a_larger_choice_made_superfluous_is_spared() -> None:
    little, much = Candidate("little", 128, 100, 1), Candidate("much", 1024, 10, 100)
    assert value(little) < value(much)
    assert choose([little, much], 1000) == ["much"]


def test_nothing_is_evicted_in_vain() -> None:
    assert choose([Candidate("a", 128, 5, 10)], 129) is None


@given(candidates, st.integers(0, 50_000))
def test_enough_is_freed_and_no_victim_is_superfluous(found: list[Candidate], need_mb: int) -> None:
    chosen = choose(found, need_mb)
    if chosen is None:
        assert sum(candidate.memory_mb for candidate in found) < need_mb
        return
    sizes = {candidate.id: candidate.memory_mb for candidate in found}
    freed_mb = sum(sizes[instance] for instance in chosen)
    assert freed_mb >= need_mb
    assert all(freed_mb - sizes[instance] < need_mb for instance in chosen)
    assert len(set(chosen)) == len(chosen)


@given(candidates, st.floats(0, 1e5))
def test_value_falls_with_idle_time(found: list[Candidate], later_s: float) -> None:
    for candidate in found:
        assert value(candidate._replace(idle_s=candidate.idle_s + later_s)) <= value(candidate)


def test_one_made_ahead_of_a_call_goes_before_any_that_was_used() -> None:
    guessed = Candidate("guessed", 128, 1, 800, ahead=True)
    assert choose([Candidate("used", 128, 900, 5), guessed], 100) == ["guessed"]
    assert choose([Candidate("used", 128, 900, 5), guessed], 200) == ["guessed", "used"]
