"""Which mapping a request means, and what names and paths may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.domains import matching
from mayfly.services.apis.domains.model import Mapping
from mayfly.services.contract import ServiceError


def mapped(*paths: str) -> list[Mapping]:
    return [Mapping(path, path, "api", "stage") for path in paths]


@pytest.mark.parametrize(
    ("path", "chosen", "rest"),
    [
        ("/orders/v1/items/7", "orders/v1", "/items/7"),
        ("/orders/v1", "orders/v1", "/"),
        ("/orders/v2/x", "orders", "/v2/x"),
        ("/orders", "orders", "/"),
        ("/ordersx", "", "/ordersx"),
        ("/", "", "/"),
        ("/a%20b", "", "/a%20b"),
    ],
)
def test_the_longest_path_that_a_request_is_below_decides(path: str, chosen: str, rest: str) -> None:
    found = matching.match(mapped("orders", "orders/v1", ""), path)
    assert found is not None
    assert (found[0].path, found[1]) == (chosen, rest)


def test_a_request_below_no_path_means_no_mapping() -> None:
    assert matching.match(mapped("orders"), "/other") is None
    assert matching.match((), "/") is None


@given(st.lists(st.sampled_from(["", "a", "a/b", "a/b/c", "b"]), unique=True), st.lists(st.sampled_from("abc")))
def test_what_follows_a_mapping_gives_the_path_again(paths: list[str], segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    found = matching.match(mapped(*paths), path)
    if found is None:
        assert "" not in paths
        return
    chosen, rest = found
    assert rest.startswith("/")
    whole = f"/{chosen.path}{rest}" if chosen.path else rest
    assert whole.rstrip("/") == path.rstrip("/")


@pytest.mark.parametrize("name", ["", "localhost", "a..b", "-a.example", "a_b.example", "*.*.example", "a.example."])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ServiceError):
        matching.check_name(name)


@pytest.mark.parametrize(("path", "levels"), [("/a", True), ("a/", True), ("a//b", True), ("a/b", False), ("ä", True)])
def test_what_is_no_path_is_refused(path: str, levels: bool) -> None:
    with pytest.raises(ServiceError):
        matching.check_path(path, levels=levels)


def test_names_are_in_small_letters_and_an_empty_path_has_two_spellings() -> None:
    assert matching.check_name("*.Shop.Example") == "*.shop.example"
    assert matching.check_path("(none)", levels=False) == matching.check_path("", levels=True) == ""
