"""The table of an instance's life."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.engine.states import TRANSITIONS, Event, IllegalTransitionError, Lifecycle, State


def test_a_whole_life() -> None:
    life = Lifecycle()
    seen = [
        life.feed(event)
        for event in (Event.PROVISIONED, Event.READY, Event.CALLED, Event.ANSWERED, Event.ENDED, Event.GONE)
    ]
    assert [state.value for state in seen] == ["initializing", "idle", "busy", "idle", "ending", "terminated"]


def test_a_retired_instance_ends_with_the_answer() -> None:
    life = Lifecycle()
    for event in (Event.PROVISIONED, Event.READY, Event.CALLED, Event.RETIRED):
        life.feed(event)
    assert life.feed(Event.ANSWERED) is State.ENDING


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_an_event_out_of_place_raises_and_changes_nothing(events: list[Event]) -> None:
    life = Lifecycle()
    for event in events:
        before = life.state
        if event in TRANSITIONS[before]:
            assert life.feed(event) is TRANSITIONS[before][event]
        else:
            with pytest.raises(IllegalTransitionError, match=before.value):
                life.feed(event)
            assert life.state is before


def test_every_state_but_the_last_can_end_and_the_last_is_final() -> None:
    for state, ways in TRANSITIONS.items():
        assert (Event.ENDED in ways) == (state is not State.TERMINATED)
    assert TRANSITIONS.keys() == set(State)
    assert TRANSITIONS[State.TERMINATED] == {}
