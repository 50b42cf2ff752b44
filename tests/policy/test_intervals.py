"""The choice of a beginning and a later run, against trying every one."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.intervals import Choice, prefix_and_run

gains = st.lists(st.integers(-20, 20).map(float), max_size=12)


def worth(values: list[float], choice: Choice, toll: float) -> float:
    run = sum(values[choice.low : choice.high]) - toll if choice.high > choice.low else 0.0
    return sum(values[: choice.cut]) + run


@given(gains, st.sampled_from([0.0, 1.0, 5.0]))
def test_nothing_is_worth_more_than_what_is_chosen(values: list[float], toll: float) -> None:
    size = len(values)
    tried = [
        worth(values, Choice(cut, low, high), toll)
        for cut in range(size + 1)
        for low in range(cut, size + 1)
        for high in range(low, size + 1)
    ]
    choice = prefix_and_run(values, toll)
    assert 0 <= choice.cut <= size
    assert choice.high <= size
    assert choice.low == choice.high or choice.cut <= choice.low < choice.high
    assert worth(values, choice, toll) == max(0.0, *tried)


def test_a_loss_in_between_is_left_out_only_if_it_costs_more_than_the_toll() -> None:
    assert prefix_and_run([3.0, -2.0, 4.0], toll=1.0) == Choice(1, 2, 3)
    assert prefix_and_run([3.0, -2.0, 4.0], toll=2.5) == Choice(3, 3, 3)


def test_nothing_is_chosen_of_losses() -> None:
    assert prefix_and_run([-1.0, -1.0], toll=0.0) == Choice(0, 0, 0)
    assert prefix_and_run([], toll=0.0) == Choice(0, 0, 0)
