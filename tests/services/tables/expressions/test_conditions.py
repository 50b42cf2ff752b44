"""Conditions: parsing, binding and evaluating, against DynamoDB's wording and against naive readings."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.tables.expressions.binding import Bindings
from mayfly.services.tables.expressions.conditions import holds
from mayfly.services.tables.expressions.conditions_parser import parse_condition
from mayfly.services.tables.expressions.errors import ExpressionError
from mayfly.services.tables.values import Item

ITEM: Item = {
    "s": {"S": "hello"},
    "n": {"N": "10"},
    "b": {"B": b"\x01\x02"},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2"]},
    "l": {"L": [{"S": "x"}, {"N": "5"}, {"M": {"k": {"N": "7"}}}]},
    "m": {"M": {"a": {"N": "1"}, "b": {"S": "z"}}},
    "t": {"BOOL": True},
    "nil": {"NULL": True},
}
VALUES: dict[str, Any] = {
    ":ten": {"N": "10"},
    ":nine": {"N": "9"},
    ":hel": {"S": "hel"},
    ":x": {"S": "x"},
    ":one": {"N": "1"},
    ":five": {"N": "5"},
    ":seven": {"N": "7"},
    ":yx": {"SS": ["x", "y"]},
    ":S": {"S": "S"},
    ":true": {"BOOL": True},
    ":m": {"M": {"b": {"S": "z"}, "a": {"N": "1"}}},
}


def evaluate(text: str, item: Item | None = ITEM, names: dict[str, str] | None = None) -> bool:
    return holds(Bindings(names, VALUES).condition(parse_condition(text)), item)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n = :ten", True),
        ("n <> :ten", False),
        ("n > :nine", True),
        (":nine < n", True),
        ("s > :nine", False),
        ("missing_one = :ten", False),
        ("missing_one <> :ten", True),
        ("missing_one < :ten", False),
        ("NOT missing_one = :ten", True),
        ("n BETWEEN :nine AND :ten", True),
        ("n between :ten and :ten and n = :ten", True),
        ("n IN (:nine, :ten)", True),
        ("s IN (:nine)", False),
        ("missing_one IN (:nine)", False),
        ("attribute_exists(m.a)", True),
        ("attribute_exists(m.c)", False),
        ("attribute_not_exists(l[9])", True),
        ("attribute_exists(nil)", True),
        ("l[2].k = :seven", True),
        ("l [ 2 ] . k = :seven", True),
        ("#m.#a = :one", True),
        ("attribute_type(s, :S)", True),
        ("attribute_type(n, :S)", False),
        ("begins_with(s, :hel)", True),
        ("begins_with(n, :hel)", False),
        ("contains(s, :hel)", True),
        ("contains(ss, :x)", True),
        ("contains(ns, :one)", True),
        ("contains(ns, :x)", False),
        ("contains(l, :five)", True),
        ("contains(l, :one)", False),
        ("contains(m, :x)", False),
        ("size(s) = :five", True),
        ("size(l) > :one", True),
        ("size(n) = :one", False),
        ("ss = :yx", True),
        ("m = :m", True),
        ("t = :true", True),
        ("n = :ten OR n = :nine AND s = :x", True),
        ("(n = :ten OR n = :nine) AND s = :x", False),
        ("NOT n = :nine AND NOT (s = :x)", True),
        ("NOT NOT n = :ten", True),
        ("(n) = :ten", True),
        ("(m).a = :one", True),
        ("(n = :ten) AND (s) = (:hel)", False),
    ],
)
def test_a_condition_holds_or_not(text: str, expected: bool) -> None:
    names = {"#m": "m", "#a": "a"} if "#" in text else None
    assert evaluate(text, names=names) is expected


def test_no_item_is_like_one_without_attributes() -> None:
    assert evaluate("attribute_not_exists(s)", None)
    assert not evaluate("s = :x", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("   ", "The expression can not be empty;"),
        ("n = ", 'Syntax error; token: "<EOF>", near: "n ="'),
        ("n = = :ten", 'Syntax error; token: "=", near: "= = :ten"'),
        ("n == :ten", 'Syntax error; token: "=", near: "== :ten"'),
        ("n = :ten :nine", 'Syntax error; token: ":nine", near: ":ten :nine"'),
        ("n = @", 'Syntax error; token: "@", near: "= @"'),
        ("n", 'Syntax error; token: "<EOF>", near: "n"'),
        ("a-b = :ten", 'Syntax error; token: "-", near: "a-b"'),
        ("(n = :ten", 'Syntax error; token: "<EOF>", near: "= :ten"'),
        ("((n = :ten))", "The expression has redundant parentheses;"),
        ("((n)) = :ten", "The expression has redundant parentheses;"),
        ("nofunction(n)", "Invalid function name; function: nofunction"),
        (
            "attribute_exists(n, s)",
            "Incorrect number of operands for operator or function; "
            "operator or function: attribute_exists, number of operands: 2",
        ),
        (
            "attribute_exists(:ten)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "size(n)",
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            "attribute_exists(n) = :ten",
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            "begins_with(s, :ten)",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "attribute_type(s, :hel)",
            "Invalid attribute type name found; type: hel, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "s < :true",
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
        ),
        (
            "n BETWEEN :ten AND :nine",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:10}, upper bound operand: AttributeValue: {N:9}",
        ),
        (
            "n BETWEEN :ten AND :x",
            "The BETWEEN operator requires same data type for lower and upper bounds; "
            "lower bound operand: AttributeValue: {N:10}, upper bound operand: AttributeValue: {S:x}",
        ),
        ("name = :ten", "Attribute name is a reserved keyword; reserved keyword: name"),
        (
            "#n = :ten",
            "An expression attribute name used in the document path is not defined; attribute name: #n",
        ),
        (
            "n = :none",
            "An expression attribute value used in expression is not defined; attribute value: :none",
        ),
        (
            "n = n",
            "The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: =, first operand: [n]",
        ),
        (
            f"n IN ({', '.join([':ten'] * 101)})",
            "The IN operator is provided with too many operands; number of operands: 101",
        ),
        ("n" * 4097, "Expression size has exceeded the maximum allowed size; expression size: 4097"),
    ],
)
def test_a_wrong_condition_is_refused_in_dynamodbs_words(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["(" * 2000, "NOT " * 1000, "size(" * 800, "n=n AND " * 500, "-" * 4096, "((n" * 50])
def test_nothing_that_is_short_enough_exhausts_the_parser(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_condition(text)


def test_a_long_chain_can_be_parsed_and_evaluated() -> None:
    assert evaluate(" AND ".join(["n=:ten"] * 140))
    assert evaluate("NOT " * 200 + "n=:ten")


OPERATORS = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@given(st.integers(-50, 50), st.integers(-50, 50), st.sampled_from(sorted(OPERATORS)))
def test_comparisons_of_numbers_agree_with_decimals(left: int, right: int, operator: str) -> None:
    values = {":v": {"N": str(right)}}
    condition = Bindings(None, values).condition(parse_condition(f"x {operator} :v"))
    expected = OPERATORS[operator](Decimal(left), Decimal(right))
    assert holds(condition, {"x": {"N": str(left)}}) is expected


@st.composite
def boolean_texts(draw: st.DrawFn, depth: int = 4) -> str:
    """Expressions over the attributes a to d that Python reads the same way once it is told what they are."""
    if depth == 0 or draw(st.booleans()):
        return f"{draw(st.sampled_from('abcd'))} = :v"
    kind = draw(st.sampled_from(["AND", "OR", "NOT"]))
    left = draw(boolean_texts(depth - 1))
    if kind == "NOT":
        return f"NOT ({left})"
    right = draw(boolean_texts(depth - 1))
    return draw(st.sampled_from([f"{left} {kind} {right}", f"({left} {kind} {right}) AND a = :v", f"b = :v OR {left}"]))


@given(boolean_texts(), st.fixed_dictionaries({name: st.booleans() for name in "abcd"}))
def test_and_or_not_bind_as_in_python(text: str, held: dict[str, bool]) -> None:
    condition = Bindings(None, {":v": {"BOOL": True}}).condition(parse_condition(text))
    expected = text.replace("AND", "and").replace("OR", "or").replace("NOT", "not").replace(" = :v", "")
    item: Item = {name: {"BOOL": value} for name, value in held.items()}
    assert holds(condition, item) is eval(expected, {}, dict(held))


def test_placeholders_that_nothing_uses_are_named() -> None:
    bindings = Bindings({"#a": "a", "#b": "b"}, {":v": {"S": "x"}})
    bindings.condition(parse_condition("#a = :v"))
    assert bindings.unused() == "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"
