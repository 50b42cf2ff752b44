"""Stages of versions: AWSCURRENT is on one of them, and what follows it follows."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.configs.secrets import stages
from mayfly.services.configs.secrets.model import CURRENT, PENDING, PREVIOUS, Version

STAGES = st.sets(st.sampled_from([CURRENT, PENDING, "A", "B"]), min_size=1)


def of(versions: tuple[Version, ...]) -> dict[str, tuple[str, ...]]:
    return {one.id: one.stages for one in versions}


def test_the_version_that_was_current_is_previous_and_no_longer_pending() -> None:
    before = (Version("1", 0.0, (PREVIOUS,)), Version("2", 0.0, (CURRENT, PENDING, "MINE")), Version("3", 0.0))
    after = of(stages.staged(before, "3", [CURRENT]))
    assert after == {"1": (), "2": (PREVIOUS, "MINE"), "3": (CURRENT,)}


def test_a_version_that_is_pending_keeps_that_when_it_becomes_current() -> None:
    before = (Version("1", 0.0, (CURRENT,)), Version("2", 0.0, (PENDING,)))
    assert of(stages.staged(before, "2", [CURRENT])) == {"1": (PREVIOUS,), "2": (CURRENT, PENDING)}


def test_going_back_to_the_previous_version_exchanges_both() -> None:
    before = (Version("1", 0.0, (PREVIOUS,)), Version("2", 0.0, (CURRENT,)))
    assert of(stages.staged(before, "1", [CURRENT])) == {"1": (CURRENT,), "2": (PREVIOUS,)}


def test_of_versions_without_stages_the_oldest_go_first() -> None:
    versions = tuple(Version(str(number), 0.0) for number in range(stages.MOST_DEPRECATED + 2))
    kept, gone = stages.kept((*versions, Version("c", 0.0, (CURRENT,))))
    assert [one.id for one in gone] == ["0", "1"]
    assert len(kept) == stages.MOST_DEPRECATED + 1


@given(st.lists(st.tuples(st.integers(0, 5), STAGES), max_size=20))
def test_a_stage_is_on_one_version_at_most_and_there_is_a_previous_one_once_current_has_moved(
    moves: list[tuple[int, set[str]]],
) -> None:
    versions = tuple(Version(str(number), 0.0) for number in range(6))
    holders: list[int] = []
    for number, wanted in moves:
        versions = stages.staged(versions, str(number), wanted)
        if CURRENT in wanted and (not holders or holders[-1] != number):
            holders.append(number)
        found = [stage for one in versions for stage in one.stages]
        assert len(found) == len(set(found))
        assert wanted <= set(versions[number].stages)
    if len(holders) > 1:
        assert CURRENT in versions[holders[-1]].stages
        assert PREVIOUS in versions[holders[-2]].stages
