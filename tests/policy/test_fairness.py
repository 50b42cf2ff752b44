"""Fair turns and fair shares: what they are, and that nobody is left out, in virtual time."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy import fairness
from mayfly.policy.fairness import HALF_LIFE_S, Claim, Had, dominant, gives_way, had, most_for_one, shares, turn

demands = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1e6), min_size=1)


def test_what_a_function_had_counts_half_after_the_half_life() -> None:
    before = had(Had(), 1.0, 4.0)
    assert before == Had(4.0, 4.0)
    assert had(before, 0.0, 4.0 + HALF_LIFE_S) == Had(2.0, 4.0 + HALF_LIFE_S)


def test_the_larger_of_the_two_parts_counts() -> None:
    assert dominant(512, 1024, 2, 16) == 0.5
    assert dominant(128, 1024, 8, 16) == 0.5
    assert dominant(128, 0, 8, 0) == 0.0


def test_whoever_had_the_least_is_next_and_of_equals_whoever_waits_longest() -> None:
    much, little = Claim("much", 5.0, since=1.0, starting=0), Claim("little", 0.5, since=3.0, starting=0)
    assert turn([much, little], 0, 16) is little
    early = Claim("early", 0.5, since=2.0, starting=0)
    assert turn([much, little, early], 0, 16) is early


def test_twice_the_weight_is_owed_twice_as_much() -> None:
    heavy, light = Claim("heavy", 3.0, 0.0, 0, weight=2.0), Claim("light", 2.0, 0.0, 0)
    assert turn([heavy, light], 0, 16) is heavy


def test_nobody_starts_when_enough_starts_are_under_way_and_one_function_never_has_them_all() -> None:
    claim = Claim("a", 0.0, 0.0, starting=12)
    assert most_for_one(16) == 12
    assert turn([claim], 12, 16) is None
    assert turn([claim._replace(starting=11)], 11, 16) is not None
    assert turn([claim._replace(starting=0)], 16, 16) is None
    assert turn([claim._replace(starting=0)], 0, 1) is not None


def test_one_gives_way_to_who_had_clearly_less_and_two_do_not_end_each_others_instances() -> None:
    assert gives_way(5.0, 0.0)
    assert not gives_way(5.0, 4.5)
    assert gives_way(5.0, 4.9, begun=True)
    assert not gives_way(5.0, 5.1, begun=True)


def test_who_wants_little_gets_it_and_the_others_share_the_rest() -> None:
    assert shares({"flood": 10_000, "other": 3_000, "small": 200}, 1_000) == {"small": 200, "other": 400, "flood": 400}
    assert shares({"a": 900, "b": 900}, 900, {"a": 2.0}) == {"a": 600, "b": 300}


@given(demands, st.floats(0, 1e6))
def test_shares_are_max_min_fair(wanted: dict[str, float], budget: float) -> None:
    given_ = shares(wanted, budget)
    slack = 1e-6 * (1 + budget)
    assert sum(given_.values()) <= budget + slack
    assert sum(given_.values()) >= min(budget, sum(wanted.values())) - slack
    for name, share in given_.items():
        assert share <= wanted[name]
        if share < wanted[name] - slack:  # who wants more has as much as anybody
            assert share >= max(given_.values()) - slack


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 20)), min_size=2, max_size=6),
    st.integers(20, 60),
)
def test_nobody_starves_whatever_sizes_and_durations_the_others_have(kinds: list[tuple[int, int]], budget: int) -> None:
    """Every function always has a call waiting; sizes and durations differ. In time each gets about as much as another.

    One unit of memory is 1, one tick of time a second; whoever is next is waited for, as the engine does it.
    """
    sizes = {str(number): min(size, budget) for number, (size, _) in enumerate(kinds)}
    lasts = {str(number): duration for number, (_, duration) in enumerate(kinds)}
    accounts = {name: Had() for name in sizes}
    running: list[tuple[int, str]] = []
    total, longest, last_started = Counter[str](), dict.fromkeys(sizes, 0), dict.fromkeys(sizes, 0)
    blocked: str | None = None
    for now in range(600):
        held = Counter[str]()
        for _, name in running:
            held[name] += sizes[name]
        accounts = {name: had(account, held[name] / budget, float(now)) for name, account in accounts.items()}
        running = [(until, name) for until, name in running if until > now]
        blocked = None
        while blocked is None:
            claims = [Claim(name, accounts[name].used_s, 0.0, 0) for name in sizes]
            chosen = turn(claims, 0, 1000)
            assert chosen is not None
            name = chosen.function
            if sum(sizes[other] for _, other in running) + sizes[name] > budget:
                blocked = name
                break
            running.append((now + lasts[name], name))
            total[name] += sizes[name] * lasts[name]
            longest[name] = max(longest[name], now - last_started[name])
            last_started[name] = now
    assert all(total[name] > 0 for name in sizes)
    assert max(longest.values()) <= 20 * len(sizes) * 10


@given(st.integers(1, 20), st.integers(0, 20), st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_two_tenants_never_end_instances_for_each_other_at_the_same_time(
    mine: int, theirs: int, my_since: float, their_since: float, now: float
) -> None:
    gives = fairness.tenant_gives_way(mine, theirs, my_since, their_since, now)
    assert not (gives and fairness.tenant_gives_way(theirs + 1, mine - 1, their_since, now, now) and theirs + 1 < mine)
    if gives:
        assert theirs < mine


def test_a_tenants_only_instance_goes_to_one_who_has_waited_for_longer_and_long_enough() -> None:
    assert not fairness.tenant_gives_way(1, 0, my_since=1.0, their_since=0.9, now=1.0)
    assert fairness.tenant_gives_way(1, 0, my_since=1.0, their_since=0.9, now=1.5)
    assert not fairness.tenant_gives_way(1, 0, my_since=0.8, their_since=0.9, now=1.5)
    assert fairness.tenant_gives_way(2, 0, my_since=0.0, their_since=0.9, now=0.9)
