"""Lanes: whose turn it is, how wide each is, and that nothing is kept of those with nothing to do."""

import math

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.functions.tasks.lanes import PREFIX, WIDEN_AFTER, Lane, Lanes, lane_of

F, G = lane_of("f"), lane_of("g")


def take(lanes: Lanes, places: int, now: float = 0.0, more: float = 0.0) -> list[Lane]:
    """What is claimed from full lanes, an item each; `more`: when there is more."""
    taken = []
    for lane, count in lanes.plan(now, places):
        lanes.claimed(lane, count, more)
        taken += [lane] * count
    return taken


def names(taken: list[Lane]) -> list[str]:
    return [lane.queue for lane in taken]


def test_a_lane_is_a_functions_for_a_tenant() -> None:
    lanes = Lanes(8)
    lanes.woken(lane_of("f", "a/b"))
    lanes.woken(PREFIX)
    assert {lane.queue: lane.tenant for lane in take(lanes, 16)} == {lane_of("f", "a/b"): "a/b", PREFIX: ""}


def test_a_tenants_places_are_shared_between_its_functions() -> None:
    lanes = Lanes(8)
    for queue in (F, G, lane_of("h", "other")):
        lanes.woken(queue)
    taken = names(take(lanes, 8))
    assert (taken.count(F), taken.count(G), taken.count(lane_of("h", "other"))) == (2, 2, 4)


def test_a_lane_with_something_later_is_looked_at_then() -> None:
    lanes = Lanes(8)
    lanes.woken(F, 100.0)
    assert (take(lanes, 8, now=99.0), lanes.next_due()) == ([], 100.0)
    assert names(take(lanes, 1, now=100.0, more=math.inf)) == [F]
    assert lanes.next_due() == math.inf


def test_what_is_woken_while_it_is_claimed_from_is_looked_at_again() -> None:
    lanes = Lanes(8)
    lanes.woken(F)
    [(lane, _)] = lanes.plan(0.0, 8)
    lanes.woken(F)  # committed after the claim, and told before its answer
    lanes.claimed(lane, 0, math.inf)
    assert names(take(lanes, 1)) == [F]


def test_a_lane_that_is_held_rests_until_it_is_released() -> None:
    lanes = Lanes(8)
    lanes.woken(F)
    lanes.hold([F, G])
    assert take(lanes, 8) == []
    lanes.release([F, G])
    assert set(names(take(lanes, 8, more=math.inf))) == {F}
    assert lanes.count == 1


def test_a_lane_narrows_to_what_runs_and_widens_slowly() -> None:
    lanes = Lanes(8)
    lanes.woken(F)
    taken = take(lanes, 8)
    for lane in taken[:6]:  # two run, six were refused
        lanes.throttled(lane, 1.0)
        lanes.ended(lane)
    lane = taken[0]
    assert lane.width == 2
    assert take(lanes, 8) == []
    for _ in range(WIDEN_AFTER):
        lanes.went_well(lane)
    assert len(take(lanes, 8)) == 1


def test_a_lane_of_which_nothing_runs_is_tried_again_after_a_pause() -> None:
    lanes = Lanes(8)
    lanes.woken(F)
    [lane] = take(lanes, 1)
    lanes.throttled(lane, 5.0)
    lanes.ended(lane)
    assert (take(lanes, 8, now=4.9), lanes.next_due()) == ([], 5.0)
    assert names(take(lanes, 8, now=5.0)) == [F]


steps = st.lists(
    st.tuples(
        st.sampled_from(["wake", "later", "take", "end", "throttle"]), st.sampled_from([F, G, lane_of("f", "t")])
    ),
    max_size=60,
)


@given(steps)
def test_whatever_happens_all_is_taken_in_the_end_and_nothing_is_kept(happened: list[tuple[str, str]]) -> None:
    lanes, now = Lanes(4), 0.0
    waiting: dict[str, list[float]] = {}
    running: list[Lane] = []

    def claim() -> None:
        for lane, count in lanes.plan(now, 4 - len(running)):
            due = sorted(at for at in waiting.get(lane.queue, []) if at <= now)[:count]
            for at in due:
                waiting[lane.queue].remove(at)
            left = min(waiting.get(lane.queue, []), default=math.inf)
            lanes.claimed(lane, len(due), left)
            running.extend([lane] * len(due))

    for what, queue in happened:
        now += 1.0
        if what in ("wake", "later"):
            at = 0.0 if what == "wake" else now + 10.0
            waiting.setdefault(queue, []).append(at)
            lanes.woken(queue, at)
        elif what == "take":
            claim()
        elif running:
            lane = running.pop()
            if what == "throttle":
                lanes.throttled(lane, now + 1.0)
                waiting.setdefault(lane.queue, []).append(now + 2.0)
                lanes.woken(lane.queue, now + 2.0)
            else:
                lanes.went_well(lane)
            lanes.ended(lane)
    for _ in range(300):
        now += 1.0
        claim()
        while running:
            lanes.ended(running.pop())
    assert not any(waiting.values())
    assert lanes.count == 0
    assert lanes.next_due() == math.inf
