"""Which templates are worth their memory."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.templates import (
    HALF_LIFE_S,
    LASTING_S,
    MOST_LOSSES,
    Held,
    Starts,
    losses,
    readmits,
    started,
    surplus,
    tries_again,
    value,
)


def held(key: str, memory_mb: float = 20.0, saved_ms: float = 100.0, heat: float = 1.0, at: float = 0.0) -> Held:
    return Held(key, memory_mb, saved_ms, Starts(heat, at))


templates = st.lists(
    st.builds(
        held,
        st.text("abcdefgh", min_size=1, max_size=4),
        st.floats(0, 200),
        st.floats(0, 5000),
        st.floats(0, 100),
        st.floats(0, 10_000),
    ),
    max_size=8,
    unique_by=lambda one: one.key,
)


def test_a_template_is_worth_what_it_saves_by_its_size_and_its_use() -> None:
    usual = held("a")
    assert value(held("b", memory_mb=40, saved_ms=200), 0) == value(usual, 0)
    assert value(held("b", heat=3), 0) == 3 * value(usual, 0)
    assert value(usual, HALF_LIFE_S) == value(usual, 0) / 2


def test_starts_add_up_and_fade() -> None:
    twice = started(started(None, 0.0), HALF_LIFE_S)
    assert twice == Starts(1.5, HALF_LIFE_S)


def test_where_all_fit_none_goes() -> None:
    assert surplus([held("a"), held("b")], 40, 2, 0) == []


def test_the_least_valuable_go_first() -> None:
    rare, small, often = held("rare"), held("small", memory_mb=5), held("often", heat=10)
    assert surplus([often, rare, small], 30, 64, 0) == ["rare"]
    assert surplus([often, rare, small], 6, 64, 0) == ["rare", "small", "often"]
    assert surplus([often, rare, small], 1000, 2, 0) == ["rare"]


def test_one_that_had_to_go_comes_back_when_it_is_worth_clearly_more() -> None:
    there = [held("there", memory_mb=20, heat=2)]
    assert not readmits(held("back", memory_mb=20, heat=2), there, 30, 64, 0)
    assert not readmits(held("back", memory_mb=20, heat=2.9), there, 30, 64, 0)
    assert readmits(held("back", memory_mb=20, heat=3), there, 30, 64, 0)
    assert readmits(held("back", memory_mb=20, heat=0.1), there, 40, 64, 0)
    assert not readmits(held("back", memory_mb=41, heat=99), there, 40, 64, 0)


def test_a_target_that_loses_one_template_after_the_other_gets_no_other_for_a_while() -> None:
    lost = 0
    for _ in range(MOST_LOSSES):
        assert tries_again(lost, 0.0)
        lost = losses(lost, lasted_s=1.0)
    assert not tries_again(lost, LASTING_S - 1)
    assert tries_again(lost, LASTING_S)


def test_losses_that_lie_far_apart_do_not_add_up() -> None:
    lost = 0
    for _ in range(10 * MOST_LOSSES):
        lost = losses(lost, lasted_s=LASTING_S)
    assert tries_again(lost, 0.0)


@given(templates, st.floats(0, 1000), st.integers(0, 8))
def test_what_is_left_fits(found: list[Held], budget_mb: float, most: int) -> None:
    gone = surplus(found, budget_mb, most, 20_000)
    left = [one for one in found if one.key not in gone]
    assert len(left) <= most
    assert not left or sum(one.memory_mb for one in left) <= budget_mb + 1e-6
    assert all(value(one, 20_000) >= max((value(o, 20_000) for o in found if o.key in gone), default=0) for one in left)


@given(templates, st.floats(0, 1000), st.integers(1, 8))
def test_what_comes_back_is_not_the_next_to_go(found: list[Held], budget_mb: float, most: int) -> None:
    if not found:
        return
    one, others = found[0], found[1:]
    gone = surplus(others, budget_mb, most, 20_000)
    there = [other for other in others if other.key not in gone]
    if readmits(one, there, budget_mb, most, 20_000) and value(one, 20_000) > 0:
        assert one.key not in surplus([one, *there], budget_mb, most, 20_000)
