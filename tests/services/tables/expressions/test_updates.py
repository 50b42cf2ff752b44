"""Updates: parsing, binding and applying, against DynamoDB's wording and against naive readings."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.tables.expressions.binding import Bindings
from mayfly.services.tables.expressions.errors import ExpressionError, UpdateError
from mayfly.services.tables.expressions.updates import apply
from mayfly.services.tables.expressions.updates_parser import parse_update
from mayfly.services.tables.values import Item, copied

ONE_TO_FOUR = {"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}, {"N": "4"}]}
ITEM: Item = {
    "a": {"N": "1"},
    "b": {"S": "x"},
    "l": ONE_TO_FOUR,
    "m": {"M": {"k": {"N": "1"}, "l": {"L": []}}},
    "ss": {"SS": ["x", "y"]},
}
VALUES: dict[str, Any] = {
    ":one": {"N": "1"},
    ":s": {"S": "s"},
    ":l": {"L": [{"N": "9"}]},
    ":xz": {"SS": ["x", "z"]},
    ":xy": {"SS": ["x", "y"]},
    ":ns": {"NS": ["1"]},
    ":m": {"M": {}},
}


def update(text: str, item: Item | None = None, names: dict[str, str] | None = None) -> Item:
    return apply(Bindings(names, VALUES).update(parse_update(text)), ITEM if item is None else item)


def changes(text: str) -> dict[str, Any]:
    """What an update makes different."""
    before = {name: copied(value) for name, value in ITEM.items()}
    after = update(text)
    assert before == ITEM, "the original must stay as it is"
    return {name: after.get(name) for name in {*ITEM, *after} if after.get(name) != ITEM.get(name)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET a = :s", {"a": {"S": "s"}}),
        ("set a = a + :one", {"a": {"N": "2"}}),
        ("SET a = :one - a", {"a": {"N": "0"}}),
        ("SET a = (a + :one)", {"a": {"N": "2"}}),
        ("SET a = (a) + (:one)", {"a": {"N": "2"}}),
        ("SET a = b, b = a", {"a": {"S": "x"}, "b": {"N": "1"}}),
        ("SET c = if_not_exists(c, :one), d = if_not_exists(a, :s)", {"c": {"N": "1"}, "d": {"N": "1"}}),
        ("SET c = if_not_exists(c, :one) + :one", {"c": {"N": "2"}}),
        ("SET l = list_append(:l, l)", {"l": {"L": [{"N": "9"}, *ONE_TO_FOUR["L"]]}}),
        ("SET c = list_append(if_not_exists(c, :l), :l)", {"c": {"L": [{"N": "9"}, {"N": "9"}]}}),
        ("SET m.k = :s, m.n = :one", {"m": {"M": {"k": {"S": "s"}, "l": {"L": []}, "n": {"N": "1"}}}}),
        ("SET l[1] = :s", {"l": {"L": [{"N": "1"}, {"S": "s"}, {"N": "3"}, {"N": "4"}]}}),
        ("SET l[99] = :s, l[50] = :one", {"l": {"L": [*ONE_TO_FOUR["L"], {"N": "1"}, {"S": "s"}]}}),
        ("REMOVE l[0], l[2]", {"l": {"L": [{"N": "2"}, {"N": "4"}]}}),
        ("REMOVE l[0] SET l[1] = :s", {"l": {"L": [{"S": "s"}, {"N": "3"}, {"N": "4"}]}}),
        ("REMOVE l[9], b, none_such", {"b": None}),
        ("REMOVE m.k", {"m": {"M": {"l": {"L": []}}}}),
        ("SET c = m, m.k = :s", {"c": ITEM["m"], "m": {"M": {"k": {"S": "s"}, "l": {"L": []}}}}),
        ("ADD a :one", {"a": {"N": "2"}}),
        ("ADD c :one", {"c": {"N": "1"}}),
        ("ADD ss :xz", {"ss": {"SS": ["x", "y", "z"]}}),
        ("ADD m.n :one", {"m": {"M": {"k": {"N": "1"}, "l": {"L": []}, "n": {"N": "1"}}}}),
        ("DELETE ss :xz", {"ss": {"SS": ["y"]}}),
        ("DELETE ss :xy", {"ss": None}),
        ("DELETE none_such :xy", {}),
        (
            "SET a = :s REMOVE b ADD c :one DELETE ss :xz",
            {"a": {"S": "s"}, "b": None, "c": {"N": "1"}, "ss": {"SS": ["y"]}},
        ),
    ],
)
def test_an_update_changes_what_it_says(text: str, expected: dict[str, Any]) -> None:
    assert changes(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("SET", 'Syntax error; token: "<EOF>", near: "SET"'),
        ("SET a = ", 'Syntax error; token: "<EOF>", near: "a ="'),
        ("SET a = :one + :one + :one", 'Syntax error; token: "+", near: ":one + :one"'),
        ("a = :one", 'Syntax error; token: "a", near: "a ="'),
        ("SET :one = a", 'Syntax error; token: ":one", near: "SET :one ="'),
        ("ADD a b", 'Syntax error; token: "b", near: "a b"'),
        ("SET a = :one SET b = :one", 'The "SET" section can only be used once in an update expression;'),
        ("SET size = :one", "Attribute name is a reserved keyword; reserved keyword: size"),
        ("SET a = nosuch(:one)", "Invalid function name; function: nosuch"),
        (
            "SET a = if_not_exists(a)",
            "Incorrect number of operands for operator or function; "
            "operator or function: if_not_exists, number of operands: 1",
        ),
        (
            "SET a = if_not_exists(:one, a)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "SET a = a + :s",
            "Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "SET a = list_append(l, :s)",
            "Incorrect operand type for operator or function; operator or function: list_append, operand type: S",
        ),
        ("ADD a :s", "Incorrect operand type for operator or function; operator: ADD, operand type: STRING"),
        ("DELETE a :one", "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER"),
        (
            "SET m.k = :one, m = :m",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [m, k], path two: [m]",
        ),
        (
            "SET m = :m REMOVE m.k",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [m], path two: [m, k]",
        ),
        (
            "SET l[0] = :one REMOVE l[0]",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [l, [0]], path two: [l, [0]]",
        ),
        (
            "SET m.k = :one REMOVE m[0]",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; "
            "path one: [m, k], path two: [m, [0]]",
        ),
    ],
)
def test_a_wrong_update_is_refused_in_dynamodbs_words(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        update(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET c = none_such", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET c = none_such + :one", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET c = b + :one", "An operand in the update expression has an incorrect data type"),
        ("SET c = list_append(b, :l)", "An operand in the update expression has an incorrect data type"),
        ("ADD b :one", "An operand in the update expression has an incorrect data type"),
        ("ADD ss :ns", "An operand in the update expression has an incorrect data type"),
        ("DELETE b :xy", "An operand in the update expression has an incorrect data type"),
        ("SET none_such.k = :one", "The document path provided in the update expression is invalid for update"),
        ("SET b.k = :one", "The document path provided in the update expression is invalid for update"),
        ("SET m[0] = :one", "The document path provided in the update expression is invalid for update"),
        ("REMOVE none_such.k", "The document path provided in the update expression is invalid for update"),
    ],
)
def test_an_update_that_does_not_fit_the_item_is_refused(text: str, message: str) -> None:
    with pytest.raises(UpdateError) as caught:
        update(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["SET a = " + "(" * 2000, "SET a = " + "if_not_exists(a," * 200, "SET " * 1000])
def test_nothing_that_is_short_enough_exhausts_the_parser(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_update(text)


@given(st.lists(st.integers(0, 99)), st.sets(st.integers(0, 20)))
def test_removed_elements_keep_their_numbers_until_the_end(elements: list[int], removed: set[int]) -> None:
    item: Item = {"l": {"L": [{"N": str(element)} for element in elements]}}
    expected = [element for index, element in enumerate(elements) if index not in removed]
    after = update("REMOVE b, " + ", ".join(f"l[{index}]" for index in removed), item) if removed else item
    assert after["l"] == {"L": [{"N": str(element)} for element in expected]}


@given(st.sets(st.text("abc", min_size=1)), st.sets(st.text("abc", min_size=1), min_size=1), st.booleans())
def test_adding_to_and_deleting_from_a_set_are_union_and_difference(
    before: set[str], other: set[str], adding: bool
) -> None:
    item: Item = {"x": {"SS": sorted(before)}} if before else {}
    bindings = Bindings(None, {":v": {"SS": sorted(other)}})
    after = apply(bindings.update(parse_update(f"{'ADD' if adding else 'DELETE'} x :v")), item)
    expected = before | other if adding else before - other
    assert after == ({"x": {"SS": sorted(expected)}} if expected else {})


@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30))
def test_sums_and_differences_are_exact(left: int, right: int) -> None:
    bindings = Bindings(None, {":v": {"N": str(right)}})
    after = apply(bindings.update(parse_update("SET x = n + :v, y = n - :v")), {"n": {"N": str(left)}})
    assert after["x"] == {"N": str(left + right)}
    assert after["y"] == {"N": str(left - right)}
