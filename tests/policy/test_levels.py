"""The level of a function follows from what it asks for and what is required, and is never less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.levels import STRENGTHS, LevelRefusedError, choose, strongest, will_do

LEVELS = st.sampled_from([*STRENGTHS, "kata"])


def test_of_which_nothing_is_said_runs_at_the_servers_own_level() -> None:
    assert choose(None, [], "namespace") == "namespace"


def test_what_is_asked_for_is_given_or_nothing_is() -> None:
    assert choose("gvisor", ["namespace"], "namespace") == "gvisor"
    with pytest.raises(LevelRefusedError, match="'container' is asked for, but at least 'gvisor' is required"):
        choose("container", ["gvisor"], "namespace")


def test_a_requirement_lifts_what_asks_for_nothing() -> None:
    assert choose(None, ["gvisor"], "namespace") == "gvisor"
    assert choose(None, ["container", "gvisor"], "namespace") == "gvisor"
    assert choose(None, ["container"], "namespace") == "namespace"


def test_a_runtime_that_is_not_known_will_do_for_itself_alone() -> None:
    assert choose("kata", ["kata"], "namespace") == "kata"
    assert not will_do("kata", "namespace")
    assert not will_do("gvisor", "kata")
    assert strongest(["kata", "gvisor"]) is None
    with pytest.raises(LevelRefusedError, match="no level is all that is required: 'kata', 'gvisor'"):
        choose(None, ["kata", "gvisor"], "namespace")


@given(asked=st.none() | LEVELS, required=st.lists(LEVELS, max_size=3), own=LEVELS)
def test_whatever_is_chosen_will_do_for_all_that_is_required(asked: str | None, required: list[str], own: str) -> None:
    try:
        chosen = choose(asked, required, own)
    except LevelRefusedError:
        return
    assert all(will_do(chosen, one) for one in required)
    assert asked is None or chosen == asked
    assert chosen in {asked, own, *required}
