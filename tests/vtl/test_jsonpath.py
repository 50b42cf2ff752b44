"""JSON paths, as Jayway's library reads them."""

from typing import Any

import pytest

from mayfly.vtl.errors import TemplateRunError
from mayfly.vtl.jsonpath import MISSING, compiled
from mayfly.vtl.relaxed_json import read

STORE = {
    "store": {
        "book": [
            {"category": "reference", "author": "Rees", "price": 8.95, "tags": ["a", "b"]},
            {"category": "fiction", "author": "Waugh", "price": 12.99},
            {"category": "fiction", "author": "Melville", "isbn": "0-553", "price": 8.99},
        ],
        "bicycle": {"color": "red", "price": 19.95},
    },
    "limit": 10,
    "odd name": {"it's": 1},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", STORE),
        ("limit", 10),
        ("$.limit", 10),
        ("$['limit']", 10),
        ("$.store.bicycle.color", "red"),
        ("$.store.book[0].author", "Rees"),
        ("$.store.book[-1].author", "Melville"),
        ("$.store.book[9].author", MISSING),
        ("$.store.none", MISSING),
        ("$.store.book.author", MISSING),
        ("$['odd name']['it\\'s']", 1),
        ('$["store"]["bicycle"]["price"]', 19.95),
        ("$.store.book[*].author", ["Rees", "Waugh", "Melville"]),
        ("$.store.book[0,2].author", ["Rees", "Melville"]),
        ("$.store.book[:2].price", [8.95, 12.99]),
        ("$.store.book[-2:].price", [12.99, 8.99]),
        ("$.store.bicycle['color','price']", ["red", 19.95]),
        ("$..price", [8.95, 12.99, 8.99, 19.95]),
        ("$..book[0].author", ["Rees"]),
        ("$..nothing", []),
        ("$.store.bicycle.*", ["red", 19.95]),
        ("$.store.book[?(@.isbn)].author", ["Melville"]),
        ("$.store.book[?(!@.isbn)].author", ["Rees", "Waugh"]),
        ("$.store.book[?(@.price < 10)].author", ["Rees", "Melville"]),
        ("$.store.book[?(@.price < $.limit && @.category == 'fiction')].author", ["Melville"]),
        ("$.store.book[?(@.category == 'reference' || @.price > 12)].author", ["Rees", "Waugh"]),
        ("$.store.book[?(@.author =~ /re.*/i)].author", ["Rees"]),
        ("$.store.book[?(@['author'] in ['Rees', 'X'])].price", [8.95]),
        ("$.store.book[?(@.author nin ['Rees'])].price", [12.99, 8.99]),
        ("$.store.book[?(@.tags contains 'a')].author", ["Rees"]),
        ("$.store.book[?(@.tags size 2)].author", ["Rees"]),
        ("$.store.book[?(@.tags empty false)].author", ["Rees"]),
        ("$.store.book.length()", 3),
        ("$.store.book[*].price.max()", 12.99),
        ("$.store.book[?(@.price > 100)]", []),
    ],
)
def test_a_path_finds_a_value_a_list_or_nothing(path: str, found: Any) -> None:
    assert compiled(path).find(STORE) == found


@pytest.mark.parametrize("path", ["", "$[", "$.", "$.a[", "$.a[?(@.b == )]", "$.a b", "$['a", "$[?(@.a)", "$x"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(TemplateRunError):
        compiled(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{statusCode: 200}", {"statusCode": 200}),
        ("{'a': 'b', c: [1, 2,],}", {"a": "b", "c": [1, 2]}),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ("{a: some words}", {"a": "some words"}),
        ("a=1&b=2", "a=1&b=2"),
        ("{not json", "{not json"),
        ('"text"', "text"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("", ""),
    ],
)
def test_payloads_are_read_with_what_the_parser_forgives(text: str, value: Any) -> None:
    assert read(text) == value
