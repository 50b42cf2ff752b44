"""EventBridge's patterns: what they match, and what is no pattern.

The cases are of the classes that aws/event-ruler's own are: flat fields, arrays of objects and of scalars, arrays in
arrays, absence, every operator.
"""

import json
from typing import Any

import pytest

from mayfly.matching.conditions import Wildcard
from mayfly.matching.errors import EventPatternError
from mayfly.matching.pattern import compile_pattern


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    return compile_pattern(json.dumps(pattern)).matches(event)


EXISTS, ABSENT = {"exists": True}, {"exists": False}


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"detail": {"state": ["on"]}}, {"detail": {"state": "on"}}),
        ({"detail": {"state": ["off", "on"]}}, {"detail": {"state": "on", "more": 1}}),
        ({"a": [1]}, {"a": 1.0}),
        ({"a": [1e2]}, {"a": 100}),
        ({"a": [True]}, {"a": True}),
        ({"a": [None]}, {"a": None}),
        ({"a": [""]}, {"a": ""}),
        ({"a": [EXISTS]}, {"a": None}),
        ({"a": [EXISTS]}, {"a": ""}),
        ({"a": [ABSENT]}, {"b": 1}),
        ({"a": [ABSENT]}, {"a": {"not": "a leaf"}}),
        ({"a": [ABSENT]}, {"a": []}),
        ({"a": ["x", ABSENT]}, {"a": "x"}),
        ({"a": ["x", ABSENT]}, {"b": "x"}),
        ({"a": {"b": ["x"]}}, {"a.b": "x"}),
        ({"a.b": ["x"]}, {"a": {"b": "x"}}),
        ({"a": ["10.0.0.1"]}, {"a": "10.0.0.01"}),
        ({"a": ["2001:db8::1"]}, {"a": "2001:0DB8:0:0:0:0:0:1"}),
        ({"a": [12345678901234567891]}, {"a": 12345678901234567891}),
    ],
)
def test_a_pattern_matches_an_event_that_has_the_values_it_asks_for(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    assert matches(pattern, event)


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"detail": {"state": ["on"]}}, {"detail": {"state": "off"}}),
        ({"detail": {"state": ["on"], "more": ["x"]}}, {"detail": {"state": "on"}}),
        ({"a": ["1"]}, {"a": 1}),
        ({"a": [1]}, {"a": "1"}),
        ({"a": [1]}, {"a": True}),
        ({"a": [False]}, {"a": 0}),
        ({"a": ["true"]}, {"a": True}),
        ({"a": [""]}, {"a": None}),
        ({"a": [EXISTS]}, {"a": []}),
        ({"a": [EXISTS]}, {"a": {"b": 1}}),
        ({"a": [ABSENT]}, {"a": None}),
        ({"a": [{"exactly": "10.0.0.1"}]}, {"a": "10.0.0.01"}),
        ({"a": [12345678901234567891]}, {"a": 12345678901234567892}),
        ({"a": {"b": ["x"]}}, {"a": "x"}),
    ],
)
def test_a_pattern_does_not_match_another_value_or_another_type(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    assert not matches(pattern, event)


@pytest.mark.parametrize(
    ("operator", "yes", "no"),
    [
        ({"prefix": "ab"}, ["ab", "abc"], ["Ab", "a", "cab", 1, None]),
        ({"prefix": ""}, ["", "x"], [1, True]),
        ({"suffix": "bc"}, ["bc", "abc"], ["aBC", "c", 1]),
        ({"prefix": {"equals-ignore-case": "aB"}}, ["ab", "ABc"], ["b", "xab"]),
        ({"suffix": {"equals-ignore-case": "Bc"}}, ["aBC", "bc"], ["bca"]),
        ({"equals-ignore-case": "MÜller"}, ["müLLER"], ["muller", "müller1"]),
        ({"wildcard": "*"}, ["", "abc"], [1, None]),
        ({"wildcard": "a*c"}, ["ac", "abc", "acc"], ["a", "c", "acb", "bac"]),
        ({"wildcard": "*.png"}, [".png", "a.png"], ["a.png.jpg"]),
        ({"wildcard": "a*a"}, ["aa", "aba"], ["a", ""]),
        ({"wildcard": "*ab*ab*"}, ["abab", "xabyabz"], ["ab", "aab"]),
        ({"wildcard": "a\\*b\\\\*"}, ["a*b\\", "a*b\\x"], ["axb\\", "a*b"]),
        ({"anything-but": "a"}, ["b", "", 1, None, True, "A"], ["a"]),
        ({"anything-but": ["a", "b"]}, ["c", 1], ["a", "b"]),
        ({"anything-but": [1, 2.5]}, [3, "1", True, None], [1, 1.0, 2.5]),
        ({"anything-but": {"prefix": "ab"}}, ["a", "xab", 1], ["ab", "abc"]),
        ({"anything-but": {"prefix": ["ab", "c"]}}, ["b"], ["abc", "c"]),
        ({"anything-but": {"suffix": ["z"]}}, ["zy", None], ["z", "yz"]),
        ({"anything-but": {"equals-ignore-case": ["Ab"]}}, ["abc", 1], ["AB", "ab"]),
        ({"anything-but": {"wildcard": ["a*", "*z"]}}, ["ba", 1], ["ab", "yz"]),
        ({"numeric": ["=", 3.018e2]}, [301.8], [301, "301.8"]),
        ({"numeric": [">", 0, "<=", 5]}, [0.1, 5, 5.0], [0, 5.1, "3", True, None]),
        ({"numeric": ["<", 10]}, [-1e300, 9.99], [10]),
        ({"numeric": [">=", -1]}, [-1, 1e308], [-1.0001]),
        ({"cidr": "10.0.0.0/24"}, ["10.0.0.0", "10.0.0.255"], ["10.0.1.0", "x", "::a00:1", 10]),
        ({"cidr": "2001:db8::/32"}, ["2001:db8::1", "2001:DB8:FFFF::"], ["2001:db9::", "10.0.0.1"]),
        ({"cidr": "0.0.0.0/0"}, ["255.1.2.3"], ["256.1.2.3", "1.2.3"]),
    ],
)
def test_an_operator_holds_of_these_values_and_not_of_those(
    operator: dict[str, Any], yes: list[Any], no: list[Any]
) -> None:
    pattern = compile_pattern({"a": [operator]})
    assert [value for value in yes if not pattern.matches({"a": value})] == []
    assert [value for value in no if pattern.matches({"a": value})] == []


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        ({"tags": ["b"]}, {"tags": ["a", "b"]}, True),
        ({"tags": ["c"]}, {"tags": ["a", "b"]}, False),
        ({"tags": [{"anything-but": "a"}]}, {"tags": ["a", "b"]}, True),
        ({"d": {"a": [1], "b": [2]}}, {"d": [{"a": 1, "b": 2}]}, True),
        ({"d": {"a": [1], "b": [2]}}, {"d": [{"a": 1}, {"b": 2}]}, False),
        ({"d": {"a": [1], "b": [2]}}, {"d": [{"a": 1, "b": 3}, {"a": 3, "b": 2}, {"a": 1, "b": 2}]}, True),
        ({"d": {"a": [1], "b": {"c": [2]}}}, {"d": [{"a": 1}, {"b": {"c": 2}}]}, False),
        ({"d": {"a": [1], "b": {"c": [2]}}}, {"d": [{"a": 1, "b": [{"c": 3}, {"c": 2}]}]}, True),
        ({"d": {"b": {"c": [2], "e": [3]}}}, {"d": [{"b": [{"c": 2}, {"e": 3}]}]}, False),
        ({"d": {"a": [1], "b": [2]}}, {"d": [[{"a": 1, "b": 2}], [{"a": 1}]]}, True),
        ({"d": {"a": [1], "b": [2]}}, {"d": [[{"a": 1}], [{"b": 2}]]}, False),
        ({"d": {"a": [1]}, "e": {"b": [2]}}, {"d": [{"a": 1}, {}], "e": [{}, {"b": 2}]}, True),
        ({"d": {"a": ["x"], "b": ["y"]}}, {"d": {"a": ["w", "x"], "b": ["y", "z"]}}, True),
        ({"d": {"a": [1], "b": [ABSENT]}}, {"d": [{"a": 1}, {"a": 2, "b": 3}]}, True),
        ({"d": {"a": [1], "b": [ABSENT]}}, {"d": [{"a": 1, "b": 3}]}, False),
        # Fields are decided in the order of their names: nothing was chosen yet when `a` must be absent.
        ({"d": {"a": [ABSENT], "b": [1]}}, {"d": [{"b": 1}, {"a": 1}]}, False),
    ],
)
def test_values_of_arrays_go_together_only_within_an_element(
    pattern: dict[str, Any], event: dict[str, Any], expected: bool
) -> None:
    assert matches(pattern, event) is expected


def test_or_takes_any_of_its_alternatives_at_any_level_and_several_times() -> None:
    pattern = compile_pattern(
        {
            "source": ["s"],
            "$or": [{"name": ["n"]}, {"kind": ["k"], "$or": [{"x": [1]}, {"y": [2]}]}],
            "detail": {"$or": [{"a": [1]}, {"b": [{"numeric": [">", 5]}]}]},
        }
    )
    assert pattern.matches({"source": "s", "name": "n", "detail": {"a": 1}})
    assert pattern.matches({"source": "s", "kind": "k", "y": 2, "detail": {"b": 6}})
    assert not pattern.matches({"source": "s", "kind": "k", "detail": {"b": 6}})
    assert not pattern.matches({"source": "s", "name": "n", "detail": {"b": 5}})
    assert not pattern.matches({"name": "n", "detail": {"a": 1}})


def test_of_two_values_for_one_path_the_later_counts() -> None:
    pattern = compile_pattern('{"a": {"b": ["x"]}, "a.b": ["y"]}')
    assert pattern.matches({"a": {"b": "y"}})
    assert not pattern.matches({"a": {"b": "x"}})


PLACE = "\n at [Source: (String)"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ('{"a": [1]} x', "Invalid JSON"),
        ("[]", f'Filter is not an object{PLACE}"[]"; line: 1, column: 2]'),
        ("{}", f'Empty objects are not allowed{PLACE}"{{}}"; line: 1, column: 3]'),
        ('{"a":[]}', f'Empty arrays are not allowed{PLACE}"{{"a":[]}}"; line: 1, column: 8]'),
        ('{"a":"x"}', f'"a" must be an object or an array{PLACE}"{{"a":"x"}}"; line: 1, column: 7]'),
        ('{"a":\n 1}', f'"a" must be an object or an array{PLACE}"{{"a":\n 1}}"; line: 2, column: 3]'),
        ('{"a":[[1]]}', "Match value must be String, number, true, false, or null"),
        ('{"a":[{}]}', "Match expression name not found"),
        ('{"a":[{"like":"x"}]}', "Unrecognized match type like"),
        ('{"a":[{"prefix":"x","suffix":"y"}]}', "Only one key allowed in match expression"),
        ('{"a":[{"prefix":1}]}', "prefix match pattern must be a string"),
        ('{"a":[{"prefix":{"suffix":"x"}}]}', "Unsupported prefix pattern: suffix"),
        ('{"a":[{"exists":"true"}]}', "exists match pattern must be either true or false."),
        ('{"a":[{"numeric":5}]}', "Value of numeric must be an array."),
        ('{"a":[{"numeric":["!",5]}]}', "Unrecognized numeric range operator: !"),
        ('{"a":[{"numeric":[">","5"]}]}', "Value of > must be numeric"),
        ('{"a":[{"numeric":[">",5,">",6]}]}', "Bad numeric range operator: >"),
        ('{"a":[{"numeric":[">",5,"<",5]}]}', "Bottom must be less than top"),
        ('{"a":[{"numeric":["=",5,"<",6]}]}', "Too many elements in numeric expression"),
        ('{"a":[{"numeric":[">",9007199254740993]}]}', "Cannot compare number : 9007199254740993"),
        (
            '{"a":[{"anything-but":[1,"x"]}]}',
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ),
        ('{"a":[{"anything-but":[null]}]}', "Inside anything but list, start|null|boolean is not supported."),
        ('{"a":[{"anything-but":{"cidr":"x"}}]}', "Unsupported anything-but pattern: cidr"),
        ('{"a":[{"anything-but":{"prefix":""}}]}', "Null prefix/suffix not allowed"),
        ('{"a":[{"wildcard":"a**b"}]}', "Consecutive wildcard characters at pos 2"),
        ('{"a":[{"wildcard":"é\\\\b"}]}', "Invalid escape character at pos 3"),
        ('{"a":[{"cidr":"10.0.0.0"}]}', "Malformed CIDR, one '/' required"),
        ('{"a":[{"cidr":"10.0.0.0/32"}]}', "IPv4 mask bits must be < 32"),
        ('{"a":[{"cidr":"10.0.0/8"}]}', "Nonstandard IP address: 10.0.0"),
        ('{"$or":[{"a":[1]}]}', "There must have at least 2 Objects in $or relationship."),
        ('{"$or":{"a":[1]}}', "It must be an Array followed with $or."),
        ('{"$or":[{"a":[1]},[1]]}', "Only JSON object is allowed in array of $or relationship."),
        ('{"$or":[{"a":[1]},{"prefix":[1]}]}', "prefix is Ruler reserved fieldName which cannot be used inside $or."),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_reason(document: str, reason: str) -> None:
    with pytest.raises(EventPatternError) as refused:
        compile_pattern(document)
    assert str(refused.value).startswith(f"Event pattern is not valid. Reason: {reason}")


def test_an_error_repeats_no_more_than_the_beginning_of_a_long_pattern() -> None:
    with pytest.raises(EventPatternError, match=r'x"\[truncated 506 chars\]; line: 1, column: 1006\]') as refused:
        compile_pattern('{"' + "x" * 1000 + '":1}')
    assert len(str(refused.value)) < 1700


@pytest.mark.parametrize(
    "document",
    [
        '{"a":' * 5000,
        '{"a":' * 200 + "[1]" + "}" * 200,
        json.dumps({f"f{n}": {"$or": [{"a": [1]}, {"b": [1]}]} for n in range(30)}),
    ],
)
def test_patterns_too_deep_or_too_complex_are_refused(document: str) -> None:
    with pytest.raises(EventPatternError):
        compile_pattern(document)


def test_a_hostile_wildcard_takes_time_that_grows_with_the_text_alone() -> None:
    hostile = Wildcard(("", *"a" * 99, "b"))
    assert not hostile.holds("a" * 200_000)


@pytest.mark.parametrize(
    "wildcards",
    [["*"], ["/Users/*/dir/dir/dir/doc.txt"], ["arn:aws:events:*:*:event-bus/*"], ["*/init/*", "*/dir/*"], ["*a*a*a*"]],
)
def test_wildcards_that_aws_takes_are_taken(wildcards: list[str]) -> None:
    compile_pattern({"a": [{"anything-but": {"wildcard": wildcards}}]})
    compile_pattern({"a": [{"wildcard": one} for one in wildcards]})


@pytest.mark.parametrize(
    "wildcards", [["*:*:*:*:*:event-bus/*"], ["*aaaaaaaaa"], [f"*.{n}" for n in range(9)], ["*" + "ab*" * 1000]]
)
def test_wildcards_in_which_a_text_could_stand_in_many_places_are_too_complex(wildcards: list[str]) -> None:
    with pytest.raises(EventPatternError, match="Rule is too complex - try using fewer wildcard characters"):
        compile_pattern({"a": [{"wildcard": one} for one in wildcards]})


def test_many_elements_in_sibling_arrays_are_not_tried_with_one_another() -> None:
    pattern = compile_pattern({name: {"x": [1]} for name in "abcd"} | {"e": {"x": [2]}})
    elements = [{"x": 1}] * 2000
    assert not pattern.matches(dict.fromkeys("abcd", elements) | {"e": [{"x": 1}, {"y": 2}]})
    assert pattern.matches(dict.fromkeys("abcd", elements) | {"e": [{"x": 1}, {"x": 2}]})


def test_the_one_element_that_meets_everything_is_found_among_many() -> None:
    pattern = compile_pattern({"d": {"a": [EXISTS], "b": [EXISTS], "c": [7]}})
    elements: list[dict[str, int]] = [{"a": n, "b": n, "c": n + 8} for n in range(10_000)]
    assert not pattern.matches({"d": elements})
    assert pattern.matches({"d": [*elements, {"a": 1, "b": 2, "c": 7}]})


def test_arrays_nested_deeper_than_any_stack_are_followed() -> None:
    event: Any = {"x": 1}
    for _ in range(5000):
        event = [event]
    assert compile_pattern({"a": {"x": [1]}}).matches({"a": event})
