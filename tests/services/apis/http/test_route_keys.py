"""Which route a request means."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.http.route_keys import METHODS, RouteKeyError, RouteTable, parse

KEYS = (
    "GET /pets/dog/1",
    "GET /pets/dog/{id}",
    "GET /pets/{proxy+}",
    "POST /pets/dog/{id}",
    "ANY /pets/dog/{id}",
    "ANY /{proxy+}",
    "$default",
)


def where(method: str, path: str, keys: tuple[str, ...] = KEYS) -> tuple[str, dict[str, str]] | None:
    found = RouteTable((key, key) for key in keys).match(method, path)
    return None if found is None else (found.route, found.parameters)


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("POST", "/pets/dog/2", "POST /pets/dog/{id}", {"id": "2"}),
        ("PUT", "/pets/dog/2", "ANY /pets/dog/{id}", {"id": "2"}),
        ("GET", "/pets/cat/3", "GET /pets/{proxy+}", {"proxy": "cat/3"}),
        ("POST", "/pets/cat/3", "ANY /{proxy+}", {"proxy": "pets/cat/3"}),
        ("GET", "/", "$default", {}),
        ("GET", "/pets/dog/a%2Fb%20c", "GET /pets/dog/{id}", {"id": "a/b c"}),
    ],
)
def test_a_request_goes_to_the_most_specific_route(
    method: str, path: str, key: str, parameters: dict[str, str]
) -> None:
    assert where(method, path) == (key, parameters)


def test_a_route_that_lacks_the_method_gives_way_to_a_less_specific_one() -> None:
    assert where("POST", "/a/b", ("GET /a/b", "ANY /a/{x}")) == ("ANY /a/{x}", {"x": "b"})


def test_a_request_that_no_route_takes_goes_nowhere() -> None:
    assert where("GET", "/b", ("GET /a",)) is None
    assert where("GET", "/a/", ("GET /a",)) is None
    assert where("GET", "/a/", ("GET /a/{x}", "GET /a/{x+}")) is None


@pytest.mark.parametrize(
    "text", ["", "GET", "get /a", "GET a", "FETCH /a", "GET /{a+}/b", "GET /{a}/{a}", "GET /x{a}", "GET /a b", "$other"]
)
def test_what_is_no_route_key_is_refused(text: str) -> None:
    with pytest.raises(RouteKeyError):
        parse(text)


segments = st.sampled_from(["a", "b", "{x}", "{y}"])
paths = st.lists(segments, min_size=1, max_size=4).filter(
    lambda parts: len({p for p in parts if "{" in p}) == len([p for p in parts if "{" in p])
)
keys = st.tuples(st.sampled_from(sorted(METHODS)), paths, st.booleans()).map(
    lambda made: f"{made[0]} /{'/'.join(made[1])}{'/{rest+}' if made[2] else ''}"
)


def as_pattern(key: str) -> re.Pattern[str]:
    method, _, path = key.partition(" ")
    path = re.sub(r"\{\w+\+\}", ".+", path)
    return re.compile(("[A-Z]+" if method == "ANY" else method) + " " + re.sub(r"\{\w+\}", "[^/]+", path))


@given(
    st.lists(keys, max_size=8, unique=True),
    st.sampled_from(["GET", "POST"]),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5),
)
def test_a_request_finds_a_route_exactly_if_one_of_them_takes_it(
    found: list[str], method: str, parts: list[str]
) -> None:
    path = "/" + "/".join(parts)
    fitting = [key for key in found if as_pattern(key).fullmatch(f"{method} {path}")]
    chosen = where(method, path, tuple(found))
    if chosen is None:
        assert fitting == []
        return
    assert as_pattern(chosen[0]).fullmatch(f"{method} {path}")
    if f"{method} {path}" in found:
        assert chosen == (f"{method} {path}", {})
