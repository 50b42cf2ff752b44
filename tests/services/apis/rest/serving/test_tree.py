"""Which resource a path means."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.rest.model import Method, Resource
from mayfly.services.apis.rest.serving.tree import build, match

METHOD = Method(http_method="GET", authorization_type="NONE", api_key_required=False)


def tree(*paths: str) -> list[Resource]:
    return [Resource(id=path, path=path, methods={"GET": METHOD}) for path in paths]


def found(paths: list[Resource], path: str) -> tuple[str, dict[str, str]] | None:
    result = match(build(paths), path)
    return None if result is None else (result.resource.path, result.variables)


def test_what_is_written_out_goes_before_a_variable_and_that_before_a_greedy_one() -> None:
    paths = tree("/a/b", "/a/{x}", "/{all+}")
    assert found(paths, "/a/b") == ("/a/b", {})
    assert found(paths, "/a/c") == ("/a/{x}", {"x": "c"})
    assert found(paths, "/a/c/d") == ("/{all+}", {"all": "a/c/d"})


def test_where_the_better_one_leads_nowhere_the_next_one_is_tried() -> None:
    paths = tree("/a/b/c", "/{x}/b/d", "/a/{rest+}")
    assert found(paths, "/a/b/d") == ("/a/{rest+}", {"rest": "b/d"})
    assert found(paths, "/z/b/d") == ("/{x}/b/d", {"x": "z"})


def test_a_slash_at_the_end_says_nothing_and_slashes_inside_are_kept_for_greedy_ones() -> None:
    paths = tree("/", "/a", "/p/{proxy+}")
    assert found(paths, "/a/") == ("/a", {})
    assert found(paths, "/") == ("/", {})
    assert found(paths, "/p/x//y") == ("/p/{proxy+}", {"proxy": "x//y"})
    assert found(paths, "/p") is None


def test_a_resource_without_methods_is_on_the_way_only() -> None:
    paths = [Resource(id="a", path="/a"), *tree("/a/b")]
    assert found(paths, "/a") is None
    assert found(paths, "/a/b") == ("/a/b", {})


segment = st.text(st.characters(codec="ascii", exclude_characters="/{}?#"), min_size=1, max_size=4)


@given(st.lists(st.lists(segment, min_size=1, max_size=3), min_size=1, max_size=6))
def test_every_path_that_is_written_out_is_found(paths: list[list[str]]) -> None:
    written = sorted({"/" + "/".join(parts) for parts in paths})
    for path in written:
        assert found(tree(*written), path) == (path, {})


@given(st.lists(segment, min_size=2, max_size=4))
def test_variables_take_what_stands_in_their_places(parts: list[str]) -> None:
    names = [f"v{at}" for at in range(len(parts))]
    pattern = "/" + "/".join(f"{{{name}}}" for name in names)
    assert found(tree(pattern), "/" + "/".join(parts)) == (pattern, dict(zip(names, parts, strict=True)))
