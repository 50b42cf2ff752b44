"""Many patterns at once: what is found, in which order, and how much is looked at for it."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from mayfly.matching.buckets import Beginnings, Ranges
from mayfly.matching.conditions import Range
from mayfly.matching.index import Index
from mayfly.matching.pattern import compile_pattern


def indexed(patterns: list[dict[str, Any]]) -> Index[int]:
    index: Index[int] = Index()
    for number, pattern in enumerate(patterns):
        index.add(number, compile_pattern(pattern))
    return index


KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "exact": lambda n: {"source": ["shop"], "detail": {"customer": [f"c{n}"]}},
    "several": lambda n: {"source": ["shop"], "detail": {"customer": [f"c{n}", f"d{n}", f"e{n}"]}},
    "two": lambda n: {"detail-type": [f"t{n // 100}"], "source": [f"s{n % 100}"]},
    "field": lambda n: {"detail": {f"f{n}": [{"exists": True}]}},
    "prefix": lambda n: {"detail": {"key": [{"prefix": f"{n}/"}]}},
    "suffix": lambda n: {"detail": {"key": [{"suffix": f".{n}"}]}},
    "folded": lambda n: {"detail": {"key": [{"equals-ignore-case": f"Key{n}"}]}},
    "range": lambda n: {"detail": {"size": [{"numeric": [">=", 10 * n, "<", 10 * n + 10]}]}},
    "network": lambda n: {"detail": {"ip": [{"cidr": f"10.{n // 256}.{n % 256}.0/24"}]}},
    "wildcard": lambda n: {"detail": {"key": [{"wildcard": f"{n}/*.png"}]}},
    "narrow": lambda n: {"source": [f"s{n}"], "detail": {"key": [{"anything-but": [f"k{n}"]}]}},
}
EVENTS: dict[str, dict[str, Any]] = {
    "exact": {"source": "shop", "detail": {"customer": "c77"}},
    "several": {"source": "shop", "detail": {"customer": "e77"}},
    "two": {"detail-type": "t0", "source": "s77"},
    "field": {"detail": {"f77": 1}},
    "prefix": {"detail": {"key": "77/x"}},
    "suffix": {"detail": {"key": "x.77"}},
    "folded": {"detail": {"key": "KEY77"}},
    "range": {"detail": {"size": 775}},
    "network": {"detail": {"ip": "10.0.77.1"}},
    "wildcard": {"detail": {"key": "77/x.png"}},
    "narrow": {"source": "s77", "detail": {"key": "other"}},
}


def visited(index: Index[int], event: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> int:
    """How many conditions and ends a match looks at."""
    count = 0
    reached = Index._reached

    def counting(self: Index[int], found: Any) -> Any:
        nonlocal count
        for one in reached(self, found):
            count += 1
            yield one

    with monkeypatch.context() as patched:
        patched.setattr(Index, "_reached", counting)
        index.match(event)
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_of_thousands_of_rules_only_those_that_may_match_are_looked_at(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = indexed([KINDS[kind](n) for n in range(2000)])
    assert index.match(EVENTS[kind]) == [77]
    assert visited(index, EVENTS[kind], monkeypatch) == 1


def test_matches_come_in_the_order_in_which_rules_were_entered() -> None:
    index: Index[str] = Index()
    for key in "zyxa":
        index.add(key, compile_pattern({"a": [1]}))
    index.add("y", compile_pattern({"a": [1, 2]}))
    assert index.match({"a": 1}) == ["z", "x", "a", "y"]
    assert index.match({"a": 2}) == ["y"]


def test_a_rule_that_several_of_its_alternatives_match_is_found_once() -> None:
    index = indexed([{"$or": [{"a": [1]}, {"b": [{"exists": False}]}, {"a": [{"numeric": [">", 0]}]}]}])
    assert index.match({"a": 1}) == [0]


def test_nothing_is_left_of_rules_that_were_removed() -> None:
    patterns = [make(n) for make in KINDS.values() for n in range(50)]
    index = indexed(patterns)
    for number in random.Random(7).sample(range(len(patterns)), len(patterns)):
        index.remove(number)
        index.remove(number)
    assert index._root.lookups == {}
    assert index._root.ends == {}
    assert index._wanted == {}


def test_ranges_are_found_through_every_rebuilding_of_their_tree() -> None:
    chance, ranges = random.Random(3), Ranges[int]()
    held: dict[int, Range] = {}
    for number in range(1500):
        low, high = chance.choice([None, chance.randrange(100)]), chance.choice([None, 100 + chance.randrange(100)])
        held[number] = Range(low, high, chance.random() < 0.5, chance.random() < 0.5)
        ranges.add(held[number], number)
        if chance.random() < 0.4:
            gone = chance.choice(list(held))
            ranges.discard(held.pop(gone), gone)
        at = float(chance.randrange(-5, 205))
        assert sorted(ranges.find(at)) == [key for key, one in held.items() if one.holds(at)]


def test_beginnings_are_found_by_their_lengths_until_they_go() -> None:
    known: Beginnings[int] = Beginnings()
    known.add("", 0)
    known.add("ab", 1)
    known.add("ab", 2)
    assert sorted(known.find("abc")) == [0, 1, 2]
    assert list(known.find("a")) == [0]
    known.discard("ab", 1)
    assert sorted(known.find("ab")) == [0, 2]
    known.discard("ab", 2)
    known.discard("", 0)
    assert not known
    assert list(known.find("abc")) == []
