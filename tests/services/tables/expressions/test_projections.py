"""Projections."""

import pytest

from mayfly.services.tables.expressions.binding import Bindings
from mayfly.services.tables.expressions.cache import ExpressionCache
from mayfly.services.tables.expressions.errors import ExpressionError
from mayfly.services.tables.expressions.parser import parse_projection
from mayfly.services.tables.expressions.paths import project
from mayfly.services.tables.values import Item

ITEM: Item = {
    "a": {"N": "1"},
    "m": {"M": {"x": {"L": [{"S": "p"}, {"M": {"k": {"S": "q"}, "j": {"S": "r"}}}]}, "y": {"N": "2"}}},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", {"a": {"N": "1"}}),
        ("m.y, a", {"m": {"M": {"y": {"N": "2"}}}, "a": {"N": "1"}}),
        ("m.x[1].k", {"m": {"M": {"x": {"L": [{"M": {"k": {"S": "q"}}}]}}}}),
        ("m.x[0], m.x[1].j", {"m": {"M": {"x": {"L": [{"S": "p"}, {"M": {"j": {"S": "r"}}}]}}}}),
        ("a.b, m.x[7], none_such", {}),
    ],
)
def test_only_what_is_named_remains(text: str, expected: Item) -> None:
    assert project(Bindings(None, None).projection(parse_projection(text)).paths, ITEM) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,", 'Syntax error; token: "<EOF>", near: "a,"'),
        ("a b", 'Syntax error; token: "b", near: "a b"'),
        (
            "m, m.x",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [m], path two: [m, x]",
        ),
        ("date", "Attribute name is a reserved keyword; reserved keyword: date"),
        (".".join("x" * 33), "The document path has too many nesting elements; nesting elements: 33"),
    ],
)
def test_a_wrong_projection_is_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Bindings(None, None).projection(parse_projection(text))
    assert str(caught.value) == message


def test_the_cache_keeps_the_latest_and_tells_the_languages_apart() -> None:
    cache = ExpressionCache(capacity=2)
    first = cache.projection("a")
    assert cache.projection("a") is first
    with pytest.raises(ExpressionError):
        cache.condition("a")
    cache.projection("b")
    cache.projection("c")
    assert cache.projection("a") is not first
