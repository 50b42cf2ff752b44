"""Scenarios and properties of eviction."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.eviction import RECENT_S, Candidate, Parts, choose, open_to, value

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


def test_those_of_whoever_has_more_than_its_share_go_before_the_least_valuable() -> None:
    worthless = Candidate("worthless", 128, 900, 5, owner="modest")
    many = [Candidate(f"many {number}", 128, 1 + number, 800, owner="flood") for number in range(3)]
    held = {"modest": 128.0, "flood": 384.0}
    parts = Parts(working={}, held=held, shares={"modest": 128.0, "flood": 200.0, "new": 128.0})
    assert choose([worthless, *many], 128, parts) == ["many 2"]
    assert choose([worthless, *many], 384, parts) == ["many 2", "many 1", "worthless"]


def test_who_has_its_share_takes_nothing_that_another_used_a_moment_ago() -> None:
    recent = Candidate("recent", 128, RECENT_S - 1, 10, owner="modest")
    stale = Candidate("stale", 128, RECENT_S, 10, owner="modest")
    own = Candidate("own", 128, 0, 10, owner="flood")
    greedy = Candidate("greedy", 128, 0, 10, owner="other")
    parts = Parts(
        working={"flood": 512.0},
        held={"flood": 640.0, "modest": 256.0, "other": 700.0},
        shares={"flood": 512.0, "modest": 256.0, "other": 512.0},
    )
    assert open_to("flood", [recent, stale, own, greedy], parts) == [stale, own, greedy]
    assert open_to("modest", [recent, stale, own, greedy], parts) == [recent, stale, own, greedy]
    assert open_to("a new one", [recent], parts) == [recent]
