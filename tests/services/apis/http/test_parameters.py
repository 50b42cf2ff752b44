"""Mappings of parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.http import parameters, selections

VALUES = {"request.header.a": "1", "context.stage": "dev"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$request.header.a", "1"),
        ("${request.header.a}", "1"),
        ("x${request.header.a}-${context.stage}y", "x1-devy"),
        ("static", "static"),
        ("$request.header.none", ""),
        ("a${request.header.none}b", "ab"),
        ("$5", "$5"),
    ],
)
def test_values_are_filled_in(text: str, said: str) -> None:
    assert parameters.render(text, VALUES.get) == said


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("set:header.a", "1"),
        ("append:path", "/a"),
        ("overwrite:header.Authorization", "1"),
        ("append:header.x-amz-date", "1"),
        ("append:header.X-Forwarded-For", "1"),
        ("append:header.a", ""),
        ("append:body", "x"),
    ],
)
def test_what_may_not_be_mapped_is_refused(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"mapping|restricted"):
        parameters.check_request({key: value})


@pytest.mark.parametrize("mappings", [{"100": {}}, {"x": {}}, {"200": {"append:querystring.a": "1"}}])
def test_what_is_no_mapping_of_responses_is_refused(mappings: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ValueError, match="specified"):
        parameters.check_responses(mappings)


def test_headers_are_appended_overwritten_and_removed() -> None:
    changes = parameters.request_changes(
        {"append:header.A": "2", "overwrite:header.B": "$request.header.a", "remove:header.c": "''"}
    )
    given = [("a", "1"), ("b", "x"), ("b", "y"), ("c", "z")]
    assert parameters.change_headers(given, changes, VALUES.get) == [("a", "1"), ("a", "2"), ("b", "1")]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", '{"a":[{"b":"x"},2],"c d":null}'),
        (".a[0].b", "x"),
        (".a[1]", "2"),
        (".a[0]", '{"b":"x"}'),
        (".a[9]", None),
        (".b", None),
        ("['a'][1]", "2"),
        (".a..b", None),
    ],
)
def test_a_body_is_looked_into_by_a_path(path: str, found: str | None) -> None:
    assert selections.body_value(b'{"a":[{"b":"x"},2],"c d":null}', path) == found


@given(st.binary(), st.text())
def test_any_body_and_path_are_a_text_or_nothing(body: bytes, path: str) -> None:
    found = selections.body_value(body, path)
    assert found is None or isinstance(found, str)
